/* SPDX-License-Identifier: BSD-2-Clause */
/* `vouch build`: its help and defaults. The work is pack.c's. */
#include "commands.h"

#include "pack.h"

static const char help[] =
	"Usage: vouch build [OPTION]... CONFIG.xml\n"
	"Write a guest image from a configuration and the files it names.\n"
	"File names in CONFIG.xml are relative to the working directory. Whether Vouch can give what it asks for,\n"
	"'vouch inspect' tells.\n\n"
	"  -o, --output=OUT       the image; default: CONFIG with its suffix replaced by .img\n"
	"  -v, --image-version=N  version of the format: 2 (default; SHA-256, can be signed), 1 (checksums) or 0\n"
	"                         (neither)\n"
	"  -s, --security-version=N\n"
	"                         version 2: a number that a policy can ask for at least; default: 0\n"
	"  -h, --help             show this and exit\n"
	"  -V, --version          show the version of vouch and exit\n";

int command_build(int argc, char **argv)
{
	struct pack_options o = { .version = 2, .suffix = ".img" };

	return pack_command(argc, argv, "build", help, &o);
}
