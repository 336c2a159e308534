/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration and the plan made of it: what is taken, what is ignored with a line, what is refused by name. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/image.h"
#include "tests/unit/support/log.h"

#define BIT(d) (1u << PLAN_##d)

#define HEAD     "<vm class='PC' name='g'>\n"
#define MEMORY   "<memory>64</memory>"
#define CORES    "<cores count='1'/>"
#define FILES    "<files><file id='k' index='0'/><file id='i' index='1'/></files>"
#define BOOT     "<boot kernel='k'/>"
#define VM(s)    HEAD MEMORY CORES FILES BOOT s "</vm>"
#define DEV(s)   VM("<devices>" PIC s "</devices>")
#define PIC      "<device class='8259A' id='pic'/>"
#define LAPIC    "<device class='LAPIC' id='apic'/>"

static bool noted;

static enum image_err judge(const char *xml)
{
	static const char *const blobs[] = { "kernel", "initrd" };
	struct test_image t;
	enum image_err code;

	log_clear();
	test_image_make(&t, 1, xml, 2, blobs);
	t.noted = noted;
	code = test_image_plan(&t);
	test_image_free(&t);
	return code;
}

static void taken(const char *xml)
{
	if (judge(xml) != IMG_OK)
		fail_msg("%s", test_err.text);
}

static void refused(const char *xml, enum image_err code, const char *text)
{
	if (judge(xml) != code)
		fail_msg("\"%s\" for %s", test_err.text, xml);
	if (!strstr(test_err.text, text))
		fail_msg("\"%s\" lacks \"%s\"", test_err.text, text);
}

static void logged(const char *text)
{
	if (!strstr(log_text(), text))
		fail_msg("\"%s\" lacks \"%s\"", log_text(), text);
}

static void smallest(void **state)
{
	(void)state;
	taken(VM(""));
	assert_string_equal(log_text(), "");
	assert_string_equal(test_plan.name, "g");
	assert_int_equal(test_plan.memory_mib, 64);
	assert_int_equal(test_plan.cores, 1);
	assert_int_equal(test_plan.devices, PLAN_STANDARD);
	assert_true(test_plan.has_boot);
	assert_int_equal(test_plan.kernel, 0);
	assert_int_equal(test_plan.initrd, -1);
	assert_string_equal(test_plan.cmdline, "");
	assert_int_equal(test_plan.ignore_count, 0);
}

static void names_without_case(void **state)
{
	(void)state;
	taken("<Vm><CLASS>pc</CLASS><Name>x</Name><MEMORY>64</MEMORY><Cores><Count>1</Count></Cores>" FILES
	      "<BOOT Kernel='k' INITRD='i' CmdLine='a b'/></Vm>");
	assert_string_equal(test_plan.name, "x");
	assert_int_equal(test_plan.initrd, 1);
	assert_string_equal(test_plan.cmdline, "a b");
}

static void root(void **state)
{
	(void)state;
	refused("<machine class='PC'>" MEMORY CORES FILES BOOT "</machine>", IMG_ERR_CFG_ROOT, "machine");
}

static void class(void **state)
{
	(void)state;
	refused("<vm>" MEMORY CORES FILES BOOT "</vm>", IMG_ERR_CFG_CLASS, "none is given");
	refused("<vm class='HVM'>" MEMORY CORES FILES BOOT "</vm>", IMG_ERR_CFG_CLASS, "it is HVM");
}

static void guest_name(void **state)
{
	static const char *const bad[] = { "", "a b", "a/b", "\xc3\xa4", "a&#10;", "abcdefghijklmnopqrstuvwxyz012345",
					   "a:b" };
	char xml[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(xml, sizeof(xml), "<vm class='PC' name='%s'>" MEMORY CORES FILES BOOT "</vm>", bad[i]);
		refused(xml, IMG_ERR_CFG_NAME, "A-Z a-z");
	}
	taken("<vm class='PC' name='abcdefghijklmnopqrstuvwxyz01234'>" MEMORY CORES FILES BOOT "</vm>");
	taken("<vm class='PC' name='A.z-0_'>" MEMORY CORES FILES BOOT "</vm>");
	taken("<vm class='PC'>" MEMORY CORES FILES BOOT "</vm>");
	assert_string_equal(test_plan.name, "");
}

static void section_twice(void **state)
{
	(void)state;
	refused(VM(BOOT), IMG_ERR_CFG_SECTION_TWICE, "boot");
	refused(VM("<devices/><Devices/>"), IMG_ERR_CFG_SECTION_TWICE, "devices");
	refused(VM(CORES), IMG_ERR_CFG_SECTION_TWICE, "cores");
	refused(VM("<memory>65</memory>"), IMG_ERR_PARAM_TWICE, "memory");
}

static void numbers(void **state)
{
	(void)state;
	refused(HEAD "<memory> 64</memory>" CORES FILES BOOT "</vm>", IMG_ERR_CFG_NUMBER, "line 2 column 1");
	refused(HEAD "<memory>64M</memory>" CORES FILES BOOT "</vm>", IMG_ERR_CFG_NUMBER, "memory \"64M\"");
	refused(HEAD MEMORY "<cores count='-1'/>" FILES BOOT "</vm>", IMG_ERR_CFG_NUMBER, "count \"-1\"");
	refused(HEAD MEMORY "<cores count='4294967297'/>" FILES BOOT "</vm>", IMG_ERR_CFG_NUMBER, "count");
}

static void memory(void **state)
{
	(void)state;
	refused(HEAD CORES FILES BOOT "</vm>", IMG_ERR_CFG_MEMORY_MISSING, "line 1 column 1");
	refused(HEAD "<memory/>" CORES FILES BOOT "</vm>", IMG_ERR_CFG_MEMORY_MISSING, "<memory>");
	refused(HEAD "<memory>0</memory>" CORES FILES BOOT "</vm>", IMG_ERR_PLAN_MEMORY, "0 MiB");
	refused(HEAD "<memory>1048577</memory>" CORES FILES BOOT "</vm>", IMG_ERR_PLAN_MEMORY, "1048577 MiB");
	taken(HEAD "<memory alignment='2MB'>64</memory>" CORES FILES BOOT "</vm>");
	logged("info: configuration of guest g, line 2: memory alignment ignored");
	taken(HEAD "<memory>64<alignment>4MB</alignment></memory>" CORES FILES BOOT "</vm>");
	assert_int_equal(test_plan.memory_mib, 64);
	refused(VM("<memory/>"), IMG_ERR_CFG_SECTION_TWICE, "memory");
	refused(VM("<memory> </memory>"), IMG_ERR_CFG_SECTION_TWICE, "memory");
	refused(VM("<Memory alignment='4MB'/>"), IMG_ERR_CFG_SECTION_TWICE, "memory");
	refused(HEAD "<memory/>" MEMORY CORES FILES BOOT "</vm>", IMG_ERR_CFG_SECTION_TWICE, "line 2 column");
	taken("<vm class='PC' memory='32'>" CORES FILES BOOT "</vm>");
	assert_int_equal(test_plan.memory_mib, 32);
}

static void cores(void **state)
{
	(void)state;
	refused(HEAD MEMORY FILES BOOT "</vm>", IMG_ERR_CFG_CORES_MISSING, "line 1 column 1");
	refused(HEAD MEMORY "<cores/>" FILES BOOT "</vm>", IMG_ERR_CFG_CORES_MISSING, "line 2 column 20");
	refused(HEAD MEMORY "<cores count='0'/>" FILES BOOT "</vm>", IMG_ERR_PLAN_CORES, "0,");
	refused(HEAD MEMORY "<cores count='33'/>" FILES BOOT "</vm>", IMG_ERR_PLAN_CORES, "33, this Vouch runs 32");
	refused(HEAD MEMORY "<cores count='2'/>" FILES BOOT "<devices><device class='8259A' id='p'/></devices></vm>",
		IMG_ERR_PLAN_CORES, "2, but no LAPIC");
	taken(HEAD MEMORY "<cores count='32'/>" FILES BOOT "</vm>");
	taken(HEAD MEMORY "<cores count='1'/>" FILES BOOT "<devices><device class='8259A' id='p'/></devices></vm>");
	taken(HEAD MEMORY "<cores count='1'><core/></cores>" FILES BOOT "</vm>");
	assert_string_equal(log_text(), "");
	assert_int_equal(test_plan.cpu[0], PLAN_ANY_CPU);
	taken(HEAD MEMORY "<cores count='1'><core target_cpu='3'><vnode>1</vnode></core></cores>" FILES BOOT "</vm>");
	assert_int_equal(test_plan.cpu[0], 3);
	logged("info: configuration of guest g, line 2: vnode of a core ignored");
	taken(HEAD MEMORY "<cores><core><target_cpu>65535</target_cpu></core><core target_cpu='1'/><count>1</count></cores>"
	      FILES BOOT "</vm>");
	assert_int_equal(test_plan.cpu[0], 65535);
	logged("warn: configuration of guest g, line 2: settings of a core that is not there ignored");
	taken(HEAD MEMORY "<cores count='1'><core TARGET_CPU='0' hz='1'/></cores>" FILES BOOT "</vm>");
	assert_int_equal(test_plan.cpu[0], 0);
	logged("warn: configuration of guest g, line 2: unknown attribute hz of core ignored");
	refused(HEAD MEMORY "<cores count='1'><core target_cpu='65536'/></cores>" FILES BOOT "</vm>", IMG_ERR_CFG_NUMBER,
		"target_cpu 65536: at most 65535");
	refused(HEAD MEMORY "<cores count='1'><core target_cpu='-1'/></cores>" FILES BOOT "</vm>", IMG_ERR_CFG_NUMBER,
		"target_cpu \"-1\"");
	refused(HEAD MEMORY "<cores count='1'><core target_cpu=''/></cores>" FILES BOOT "</vm>", IMG_ERR_CFG_NUMBER,
		"target_cpu \"\"");
}

static void paging(void **state)
{
	(void)state;
	taken(VM("<paging mode='nested'><large_pages>true</large_pages><strategy>VTLB</strategy></paging>"));
	logged("paging large_pages ignored");
	logged("paging strategy ignored");
	assert_null(strstr(log_text(), "shadow"));
	taken(VM("<paging mode='SHADOW'/>"));
	logged("info: configuration of guest g, line 2: shadow paging asked for, nested paging used");
	taken(VM("<paging/>"));
	logged("shadow");
	taken(VM("<paging mode='x&#10;'/>"));
	logged("warn: configuration of guest g, line 2: unknown paging mode x\\x0a");
}

static void firmware(void **state)
{
	(void)state;
	refused(VM("<bioses><bios file='k' address='0xf0000'/></bioses>"), IMG_ERR_CFG_FIRMWARE, "bioses");
	taken(VM("<bioses><disable_rombios/><disable_vgabios/></bioses>"));
	logged("bioses ignored");
}

static void multiboot(void **state)
{
	(void)state;
	refused(VM("<multiboot enable='y' file_id='k'/>"), IMG_ERR_CFG_MULTIBOOT, "multiboot");
	refused(VM("<multiboot><enable>yes</enable></multiboot>"), IMG_ERR_CFG_MULTIBOOT, "multiboot");
	taken(VM("<multiboot enable='n' file_id='k'/>"));
	logged("multiboot");
}

static void hvm(void **state)
{
	(void)state;
	refused(VM("<hvm enable='y'><ros><cores>1</cores></ros></hvm>"), IMG_ERR_CFG_HVM, "hvm");
	taken(VM("<hvm/>"));
}

static void memmap(void **state)
{
	(void)state;
	refused(VM("<memmap><region><start>0xa0000</start></region></memmap>"), IMG_ERR_CFG_MEMMAP, "memmap");
	taken(VM("<memmap/>"));
}

static void ignored(void **state)
{
	(void)state;
	taken(VM("<telemetry>enable</telemetry><schedule_hz>100</schedule_hz><perftune><group name='yield'/></perftune>"
		 "<cachepart/><time source='host'/><swapping enable='y'/><mem_layout vnodes='0'/><extensions/>"));
	logged("info: configuration of guest g, line 2: telemetry ignored");
	logged("schedule_hz ignored");
	logged("perftune ignored");
	logged("cachepart ignored");
	logged("time ignored");
	logged("swapping ignored");
	logged("mem_layout ignored");
	logged("extensions ignored");
}

static void unknown(void **state)
{
	(void)state;
	taken(VM("<strange-one/>"));
	logged("warn: configuration of guest g, line 2: unknown element strange-one in vm ignored");
	taken("<vm class='PC' boot='k' telemetry='enable'>" MEMORY CORES FILES BOOT "</vm>");
	logged("unknown attribute boot of vm ignored");
	logged("line 1: telemetry ignored");
	taken("<vm class='PC' note='x' opt_tag='y'>" MEMORY CORES FILES BOOT "</vm>");
	logged("warn: configuration of guest (no name), line 1: unknown attribute note of vm ignored");
	assert_null(strstr(log_text(), "opt_tag"));
	taken(VM("<devices>" PIC "<gadget/></devices>"));
	logged("unknown element gadget in devices");
}

/* A configuration cannot flood the log. */
static void notes_are_few(void **state)
{
	char *xml = malloc(20000), *s = xml;
	unsigned int lines = 0;

	(void)state;
	assert_non_null(xml);
	s += sprintf(s, HEAD MEMORY CORES FILES BOOT);
	for (int i = 0; i < 1000; i++)
		s += sprintf(s, "<x%d/>", i);
	sprintf(s, "</vm>");
	taken(xml);
	for (const char *l = log_text(); (l = strchr(l, '\n')); l++)
		lines++;
	assert_int_equal(lines, 33);
	logged("further notes are not shown");
	/* Nor again and again: the second time all of it is known. */
	log_clear();
	noted = true;
	taken(xml);
	noted = false;
	assert_string_equal(log_text(), "");
	free(xml);
}

static void boot(void **state)
{
	(void)state;
	taken(HEAD MEMORY CORES FILES
	      "<boot><kernel>k</kernel><initrd>i</initrd><cmdline>console=ttyS0 \"x\"</cmdline></boot></vm>");
	assert_int_equal(test_plan.kernel, 0);
	assert_int_equal(test_plan.initrd, 1);
	assert_string_equal(test_plan.cmdline, "console=ttyS0 \"x\"");
	taken(HEAD MEMORY CORES FILES "<boot kernel='k' initrd='i' cmdline=''/></vm>");
	refused(HEAD MEMORY CORES FILES "</vm>", IMG_ERR_PLAN_NO_BOOT, "<boot");
	refused(HEAD MEMORY CORES FILES "<boot initrd='i'/></vm>", IMG_ERR_CFG_BOOT_KERNEL, "kernel");
	refused(HEAD MEMORY CORES FILES "<boot kernel='K'/></vm>", IMG_ERR_CFG_BOOT_FILE, "kernel \"K\"");
	refused(HEAD MEMORY CORES FILES "<boot kernel='k' initrd=''/></vm>", IMG_ERR_CFG_BOOT_FILE, "initrd \"\"");
	refused(HEAD MEMORY CORES FILES "<boot kernel='k' initrd='k'/></vm>", IMG_ERR_PLAN_FILE, "same file");
	refused(HEAD MEMORY CORES FILES "<boot kernel='k'><kernel>k</kernel></boot></vm>", IMG_ERR_PARAM_TWICE,
		"kernel");
}

static void cmdline_long(void **state)
{
	char line[PLAN_CMDLINE_MAX + 2], xml[4096];

	(void)state;
	memset(line, 'c', sizeof(line));
	line[PLAN_CMDLINE_MAX] = '\0';
	snprintf(xml, sizeof(xml), HEAD MEMORY CORES FILES "<boot kernel='k' cmdline='%s'/></vm>", line);
	taken(xml);
	assert_string_equal(test_plan.cmdline, line);
	line[PLAN_CMDLINE_MAX] = 'c';
	line[PLAN_CMDLINE_MAX + 1] = '\0';
	snprintf(xml, sizeof(xml), HEAD MEMORY CORES FILES "<boot kernel='k' cmdline='%s'/></vm>", line);
	refused(xml, IMG_ERR_CFG_CMDLINE, "2047");
}

static void devices(void **state)
{
	(void)state;
	taken(DEV(""));
	assert_int_equal(test_plan.devices, PLAN_ALWAYS | BIT(PIC));
	taken(DEV("<device class='8254_PIT' id='pit'/>" LAPIC
		  "<device class='IOAPIC' id='io'><apic>apic</apic></device><device class='KEYBOARD' id='kbd'/>"
		  "<device class='SERIAL' id='serial'/><device class='BOCHS_DEBUG' id='bochs'/>"
		  "<device class='OS_DEBUG' id='os'/>"));
	assert_int_equal(test_plan.devices, PLAN_STANDARD);
	logged("OS_DEBUG ignored");
	taken(VM("<devices>" LAPIC "<device class='IOAPIC' id='io'/></devices>"));
	assert_int_equal(test_plan.devices, PLAN_ALWAYS | BIT(LAPIC) | BIT(IOAPIC));
}

static void device_class(void **state)
{
	static const char *const others[] = {
		"PCI", "i440FX", "PIIX3", "IDE", "NVRAM", "MPTABLE", "RAMDISK", "CGA_VIDEO", "CURSES_CONSOLE",
		"CHAR_STREAM",
		"LNX_VIRTIO_NIC", "NIC_BRIDGE", "LNX_VIRTIO_BLK", "FILEDISK", "QCOWDISK", "RTL8139", "PCI_FRONT",
		"PCI_PASSTHROUGH", "TELNET_CONSOLE", "HOST_PCI", "NETDISK", "HPET", "8259a", "SERIAL ", "nonsense",
	};
	char xml[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(xml, sizeof(xml), DEV("\n<device class='%s' id='x'/>"), others[i]);
		refused(xml, IMG_ERR_CFG_DEVICE_CLASS, others[i]);
		assert_non_null(strstr(test_err.text, "line 3 column 1: "));
	}
	refused(DEV("<device class='&#10;\xc3\xa4' id='x'/>"), IMG_ERR_CFG_DEVICE_CLASS, "\\x0a\\xc3\\xa4");
}

static void old_dialect(void **state)
{
	(void)state;
	refused(DEV("<device id='PCI' name='pci0'/>"), IMG_ERR_CFG_OLD_DIALECT, "class=");
}

static void device_id(void **state)
{
	(void)state;
	refused(VM("<devices><device class='8259A'/></devices>"), IMG_ERR_CFG_DEVICE_ID, "id=");
	refused(VM("<devices><device class='8259A' id=''/></devices>"), IMG_ERR_CFG_DEVICE_ID, "id=");
	refused(DEV("<device class='LAPIC' id='pic'/>"), IMG_ERR_CFG_DEVICE_ID_TWICE, "\"pic\"");
}

static void device_twice(void **state)
{
	(void)state;
	refused(DEV("<device class='8259A' id='other'/>"), IMG_ERR_CFG_DEVICE_TWICE, "8259A");
	refused(DEV(LAPIC "<device class='IOAPIC' id='a'/><device class='IOAPIC' id='b'/>"), IMG_ERR_CFG_DEVICE_TWICE,
		"IOAPIC");
}

static void device_ref(void **state)
{
	(void)state;
	refused(DEV("<device class='IOAPIC' id='io' apic='apic'/>" LAPIC), IMG_ERR_CFG_DEVICE_REF, "\"apic\"");
	refused(DEV(LAPIC "<device class='IOAPIC' id='io' apic='pic'/>"), IMG_ERR_CFG_DEVICE_REF, "\"pic\"");
}

static void devices_many(void **state)
{
	char *xml = malloc(20000), *s = xml;

	(void)state;
	assert_non_null(xml);
	s += sprintf(s, HEAD MEMORY CORES FILES BOOT "<devices>" PIC);
	for (int i = 0; i < 128; i++)
		s += sprintf(s, "<device class='GENERIC' id='d%d'/>", i);
	sprintf(s, "</devices></vm>");
	refused(xml, IMG_ERR_CFG_DEVICES_MANY, "128");
	free(xml);
}

static void device_sets(void **state)
{
	(void)state;
	refused(VM("<devices/>"), IMG_ERR_PLAN_DEVICES, "no interrupt");
	refused(VM("<devices>" LAPIC "</devices>"), IMG_ERR_PLAN_DEVICES, "no interrupt");
	refused(DEV("<device class='IOAPIC' id='io'/>"), IMG_ERR_PLAN_DEVICES, "needs a LAPIC");
}

static void serial(void **state)
{
	(void)state;
	taken(DEV("<device class='SERIAL' id='s'/>"));
	assert_int_equal(test_plan.devices, PLAN_ALWAYS | BIT(PIC) | BIT(COM1) | BIT(COM2));
	logged("COM1 and COM2");
	taken(DEV("<device class='SERIAL' id='s' com_port='1'/>"));
	assert_int_equal(test_plan.devices, PLAN_ALWAYS | BIT(PIC) | BIT(COM1));
	taken(DEV("<device class='SERIAL' id='s'><frontend><com_port>2</com_port></frontend></device>"));
	assert_int_equal(test_plan.devices, PLAN_ALWAYS | BIT(PIC) | BIT(COM2));
	taken(DEV("<device class='SERIAL' id='s' com_port='1'/><device class='SERIAL' id='t' com_port='2'/>"));
	assert_int_equal(test_plan.devices, PLAN_ALWAYS | BIT(PIC) | BIT(COM1) | BIT(COM2));
	refused(DEV("<device class='SERIAL' id='s'/><device class='SERIAL' id='t' com_port='2'/>"),
		IMG_ERR_CFG_DEVICE_TWICE, "COM2");
	refused(DEV("<device class='SERIAL' id='s' com_port='1'><frontend com_port='1'/></device>"),
		IMG_ERR_PARAM_TWICE, "com_port");
	refused(DEV("<device class='SERIAL' id='s' com_port='one'/>"), IMG_ERR_CFG_NUMBER, "com_port");
}

static void com_port(void **state)
{
	(void)state;
	refused(DEV("<device class='SERIAL' id='s' com_port='0'/>"), IMG_ERR_CFG_COM_PORT, "0, use 1 or 2");
	refused(DEV("<device class='SERIAL' id='s' com_port='3'/>"), IMG_ERR_CFG_COM_PORT, "3, use 1 or 2");
	refused(DEV("<device class='SERIAL' id='s'><frontend com_port='4'/></device>"), IMG_ERR_CFG_COM_PORT,
		"4, use 1 or 2");
}

#define GENERIC(s) DEV("<device class='GENERIC' id='g'>" s "</device>")
#define PORTS(a, b, m) "<ports><start>" a "</start><end>" b "</end><mode>" m "</mode></ports>"
#define MMIO(a, b) "<memory><start>" a "</start><end>" b "</end><mode>ignore</mode></memory>"

static void generic(void **state)
{
	(void)state;
	taken(GENERIC("<forward>physical_device</forward>" PORTS("0x00", "0x07", "PRINT_AND_IGNORE")
		      PORTS("278", "27F", "ignore") MMIO("a0000", "bffff") MMIO("0xd0000000", "0xd0000fff")));
	assert_int_equal(test_plan.ignore_count, 4);
	assert_false(test_plan.ignore[0].mmio);
	assert_true(test_plan.ignore[0].print);
	assert_int_equal(test_plan.ignore[0].start, 0);
	assert_int_equal(test_plan.ignore[0].end, 7);
	assert_false(test_plan.ignore[1].print);
	assert_int_equal(test_plan.ignore[1].end, 0x27f);
	assert_true(test_plan.ignore[2].mmio);
	assert_int_equal(test_plan.ignore[3].start, 0xd0000000);
	taken(DEV("<device class='GENERIC' id='g'><ports start='1' end='2' mode='ignore'/></device>"));
}

static void passthrough(void **state)
{
	(void)state;
	refused(GENERIC(PORTS("3b0", "3bb", "PRINT_AND_PASSTHROUGH")), IMG_ERR_CFG_PASSTHROUGH,
		"PRINT_AND_PASSTHROUGH");
	refused(GENERIC(PORTS("3b0", "3bb", "passthrough")), IMG_ERR_CFG_PASSTHROUGH, "passthrough");
	refused(GENERIC("<forward>host_device</forward>"), IMG_ERR_CFG_PASSTHROUGH, "host_device");
	refused(GENERIC("<hostdev>url</hostdev>"), IMG_ERR_CFG_PASSTHROUGH, "hostdev");
}

static void mode(void **state)
{
	(void)state;
	refused(GENERIC(PORTS("0", "7", "")), IMG_ERR_CFG_MODE, "none given");
	refused(GENERIC(PORTS("0", "7", "drop")), IMG_ERR_CFG_MODE, "drop");
}

static void range_ends(void **state)
{
	(void)state;
	refused(GENERIC(PORTS("", "7", "ignore")), IMG_ERR_CFG_RANGE_END, "no start");
	refused(GENERIC(PORTS("0", "", "ignore")), IMG_ERR_CFG_RANGE_END, "no end");
	refused(GENERIC(PORTS("0", "7h", "ignore")), IMG_ERR_CFG_HEX, "end \"7h\"");
}

static void ranges_many(void **state)
{
	char *xml = malloc(20000), *s = xml;

	(void)state;
	assert_non_null(xml);
	s += sprintf(s, HEAD MEMORY CORES FILES BOOT "<devices>" PIC "<device class='GENERIC' id='g'>");
	for (int i = 0; i < PLAN_IGNORE_MAX; i++)
		s += sprintf(s, "<ports start='%x' end='%x' mode='ignore'/>", 0x1000 + i, 0x1000 + i);
	strcpy(s, "</device></devices></vm>");
	taken(xml);
	assert_int_equal(test_plan.ignore_count, PLAN_IGNORE_MAX);
	sprintf(s, "<ports start='1' end='1' mode='ignore'/></device></devices></vm>");
	refused(xml, IMG_ERR_CFG_RANGES_MANY, "64");
	free(xml);
}

static void range_bounds(void **state)
{
	(void)state;
	refused(GENERIC(PORTS("8", "7", "ignore")), IMG_ERR_PLAN_RANGE, "ports 0x8-0x7 ends before");
	refused(GENERIC(PORTS("fff0", "10000", "ignore")), IMG_ERR_PLAN_RANGE, "beyond the last");
	taken(GENERIC(PORTS("fff0", "ffff", "ignore")));
	refused(GENERIC(MMIO("d0000000", "10000000000000")), IMG_ERR_PLAN_RANGE, "beyond the last");
	refused(GENERIC(MMIO("ffffffffffffffff", "0")), IMG_ERR_PLAN_RANGE, "ends before");
}

static void range_overlaps(void **state)
{
	(void)state;
	refused(GENERIC(PORTS("0", "7", "ignore") PORTS("7", "8", "ignore")), IMG_ERR_PLAN_OVERLAP, "another range");
	taken(GENERIC(PORTS("0", "7", "ignore") MMIO("d0000000", "d0000007")));
	/* The 8259A is there, COM1 is not. */
	refused(GENERIC(PORTS("10", "20", "ignore")), IMG_ERR_PLAN_OVERLAP, "8259A");
	taken(GENERIC(PORTS("3f8", "3ff", "ignore")));
	refused(GENERIC(PORTS("cfc", "cfc", "ignore")), IMG_ERR_PLAN_OVERLAP, "PCI");
	refused(GENERIC(PORTS("0", "ffff", "ignore")), IMG_ERR_PLAN_OVERLAP, "8259A");
	refused(GENERIC(MMIO("0", "fff")), IMG_ERR_PLAN_OVERLAP, "RAM");
	refused(GENERIC(MMIO("9ffff", "a0000")), IMG_ERR_PLAN_OVERLAP, "RAM");
	refused(GENERIC(MMIO("a0000", "100000")), IMG_ERR_PLAN_OVERLAP, "RAM");
	refused(GENERIC(MMIO("c0000", "e0000")), IMG_ERR_PLAN_OVERLAP, "ACPI");
	refused(GENERIC(MMIO("3ffffff", "4000000")), IMG_ERR_PLAN_OVERLAP, "RAM");
	taken(GENERIC(MMIO("4000000", "bfffffff")));
	refused(GENERIC(MMIO("d0000000", "e0000000")), IMG_ERR_PLAN_OVERLAP, "PCI");
	/* There is no LAPIC in this set. */
	taken(GENERIC(MMIO("fee00000", "fee00fff")));
	refused(DEV(LAPIC "<device class='GENERIC' id='g'>" MMIO("fee00fff", "fee01000") "</device>"),
		IMG_ERR_PLAN_OVERLAP, "LAPIC");
}

/* RAM above 4 GiB starts there, whatever is below. */
static void range_in_high_ram(void **state)
{
	struct image img = { .file_count = 1 };
	struct vm_plan plan = {
		.memory_mib = 4096, .cores = 1, .devices = PLAN_ALWAYS | BIT(PIC), .has_boot = true, .kernel = 0,
		.initrd = -1,
		.ignore_count = 1, .ignore = { { .mmio = true, .start = 0x140000000, .end = 0x140000fff } },
	};

	(void)state;
	assert_int_equal(plan_check(&plan, &img, &test_err), 0);
	plan.ignore[0].start--;
	assert_int_equal(plan_check(&plan, &img, &test_err), -1);
	assert_int_equal(test_err.code, IMG_ERR_PLAN_OVERLAP);
	plan.ignore[0].start = 0xc0000000;
	plan.ignore[0].end = 0xc0000fff;
	assert_int_equal(plan_check(&plan, &img, &test_err), 0);
}

/* A plan that came from elsewhere. */
static void plans(void **state)
{
	struct image img = { .file_count = 2 };
	const struct vm_plan good = {
		.memory_mib = 64, .cores = 1, .devices = PLAN_STANDARD, .has_boot = true, .kernel = 1, .initrd = 0,
	};
	struct vm_plan p = good;

	(void)state;
	assert_int_equal(plan_check(&p, &img, &test_err), 0);
	for (int32_t bad = -2; bad <= 2; bad += 4) {
		p.kernel = bad;
		assert_int_equal(plan_check(&p, &img, &test_err), -1);
		assert_int_equal(test_err.code, IMG_ERR_PLAN_FILE);
		p = good;
		p.initrd = bad;
		assert_int_equal(plan_check(&p, &img, &test_err), -1);
		assert_int_equal(test_err.code, IMG_ERR_PLAN_FILE);
		p = good;
	}
	p.devices = PLAN_STANDARD | 1u << PLAN_DEVICE_COUNT;
	assert_int_equal(plan_check(&p, &img, &test_err), -1);
	assert_int_equal(test_err.code, IMG_ERR_PLAN_DEVICES);
	p.devices = PLAN_STANDARD & ~BIT(RTC);
	assert_int_equal(plan_check(&p, &img, &test_err), -1);
	assert_int_equal(test_err.code, IMG_ERR_PLAN_DEVICES);
	p = good;
	p.ignore_count = PLAN_IGNORE_MAX + 1;
	assert_int_equal(plan_check(&p, &img, &test_err), -1);
	assert_int_equal(test_err.code, IMG_ERR_PLAN_RANGE);
}

/* The XML may be too much for the arena also when it is read the second time. */
static void plan_memory(void **state)
{
	static char xml[] = VM("");
	struct xml_arena arena = { .base = malloc(2000), .size = 2000 };
	struct image img = { .version = 1, .xml = xml, .xml_len = sizeof(xml) - 1 };

	(void)state;
	assert_int_equal(manifest_plan(&img, &arena, &test_plan, &test_err), -1);
	assert_int_equal(test_err.code, IMG_ERR_XML_MEMORY);
	free(arena.base);
}

int main(void)
{
#define T(f) cmocka_unit_test(f)
	const struct CMUnitTest tests[] = {
		T(smallest), T(names_without_case), T(root), T(class), T(guest_name), T(section_twice), T(numbers),
		T(memory), T(cores), T(paging), T(firmware), T(multiboot), T(hvm), T(memmap), T(ignored), T(unknown),
		T(notes_are_few), T(boot), T(cmdline_long), T(devices), T(device_class), T(old_dialect),
		T(device_id), T(device_twice), T(device_ref), T(devices_many), T(device_sets), T(serial),
		T(com_port), T(generic), T(passthrough), T(mode), T(range_ends), T(ranges_many), T(range_bounds),
		T(range_overlaps), T(range_in_high_ram), T(plans), T(plan_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
