# SPDX-License-Identifier: BSD-2-Clause
"""
What a run of `make bench` has measured so far, in a file: a run that was broken off goes on where it ended, as long as the
files that a part depends on are the same. The file goes when the page is written.
"""

import hashlib
import json
import os
import time


class Kept:
    def __init__(self, path):
        self.path, self.parts = path, {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                self.parts = json.load(f)

    def part(self, name, files, measure):
        """What measure() returned, now or in a run before: numbers, texts, and lists and dictionaries of them."""
        h = hashlib.sha256()
        for path in files:
            with open(path, "rb") as f:
                h.update(hashlib.sha256(f.read()).digest())
        key = h.hexdigest()
        if self.parts.get(name, {}).get("key") == key:
            print("bench: %s: kept from the run before" % name, flush=True)
            return self.parts[name]["value"]
        begin = time.monotonic()
        value = measure()
        print("bench: %s: done in %d s" % (name, time.monotonic() - begin), flush=True)
        self.parts[name] = {"key": key, "value": value}
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            json.dump(self.parts, f)
        os.replace(self.path + ".new", self.path)
        return value

    def forget(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
