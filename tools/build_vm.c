/* SPDX-License-Identifier: BSD-2-Clause */
/* build_vm(1): Palacios' command line over the same writer as `vouch build`. */
#include "common/cleanup.h"
#include "common/cli.h"
#include "pack.h"

static const char help[] =
	"Usage: build_vm <infile> [-v version] [-o outfile]\n"
	"Write a guest image from a Palacios configuration and the files it names.\n"
	"File names in <infile> are relative to the working directory.\n\n"
	"  -o, --output=OUT       the image; default: <infile> with its suffix replaced by .dat\n"
	"  -v, --image-version=N  version of the format: 1 (default, with hashes) or 0\n"
	"  -h, --help             show this and exit\n"
	"  -V, --version          show the version of build_vm and exit\n";

int main(int argc, char **argv)
{
	struct pack_options o = { .version = 1, .suffix = ".dat", .palacios = true };

	cli_set_program("build_vm");
	cli_guard_streams();
	cleanup_init();
	return pack_command(argc, argv, NULL, help, &o);
}
