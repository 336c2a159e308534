# SPDX-License-Identifier: BSD-2-Clause
# The screen's font, from a Debian package, as a C array: #include <font.h>.
build/font/Lat15-Fixed16.psf.gz: tools/fetch-font.sh
	@tools/fetch-font.sh build/font
	@touch $@

$(B)/gen/font.h: build/font/Lat15-Fixed16.psf.gz tools/font.sh
	@mkdir -p $(@D)
	$(call say,GEN,$@)tools/font.sh $< >$@

$(foreach d,hv unit fuzz,$(B)/$(d)/arch/x86/cpu/framebuffer.o) $(B)/unit/tests/unit/test_framebuffer.o: $(B)/gen/font.h
