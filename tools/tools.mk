# SPDX-License-Identifier: BSD-2-Clause
# The host programs: vouch and build_vm. They share the loader's sources with the hypervisor.
tools-common := $(addprefix tools/common/,bytes.c chunks.c cleanup.c cli.c file.c log.c opened.c outfile.c \
	progress.c sha256.c spawn.c)
tools-loader := $(addprefix loader/,bzimage.c chunk.c config.c config_devices.c crypto.c error.c escape.c image.c \
	image2.c judge.c manifest.c plan.c sha256_ni.c signature.c verify.c xml.c xml_arena.c xml_tree.c)
tools-pack := $(addprefix tools/,pack.c pack_command.c utf16.c write2.c xmlentity.c xmlwrite.c)

tool-vouch-srcs := $(addprefix tools/,main.c bochs.c build.c console.c convert.c ctl.c ctl_print.c entry.c extract.c facts.c \
	grubtext.c guestwords.c inspect.c inspect_json.c inspect_text.c iso.c json.c key.c keygen.c menu.c menu_install.c \
	mkiso.c run.c sign.c verify.c)
tool-vouch-srcs += $(tools-pack) $(tools-common) $(tools-loader)
tool-vouch-srcs += $(addprefix tools/,measure.c measure_print.c policy.c policy_file.c policy_source.c) \
	$(addprefix loader/,eventlog.c measure.c options.c policy.c policy_decide.c policy_image.c tao.c)
tool-vouch-libs := -lexpat -lfdt -ljansson -lmbedcrypto

tool-build_vm-srcs := tools/build_vm.c $(tools-pack) $(tools-common) $(tools-loader)
tool-build_vm-libs := -lexpat -lmbedcrypto
