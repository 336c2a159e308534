/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's DSDT. One for all guests: acpi.c puts the bits of the plan's devices (enum plan_device) into VDEV, and the
 * devices' _STA look there. No PCI root, no GPE, no processor objects: none exist.
 */
DefinitionBlock ("", "DSDT", 2, "VOUCH", "VOUCHVM", 1)
{
	/* Four bytes wide, so that there is room for any value; acpi.c looks for this name and this constant. */
	Name (VDEV, 0x56454456)

	/* PIC mode 0 or APIC mode 1, as the guest says. Nothing here depends on it: there is no routing. */
	Name (PICM, Zero)
	Method (_PIC, 1)
	{
		PICM = Arg0
	}

	/* SLP_TYP of S5, PM_SLP_S5 in pm.h. No other sleep state. */
	Name (_S5, Package () { 0x05, 0x05, Zero, Zero })

	Scope (_SB)
	{
		/* Bit of VDEV to a _STA: present and working, or not there. */
		Method (STAT, 1, Serialized)
		{
			If ((VDEV >> Arg0) & One)
			{
				Return (0x0F)
			}
			Return (Zero)
		}

		Device (PIC)
		{
			Name (_HID, EisaId ("PNP0000"))
			Method (_STA) { Return (STAT (0)) }
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0020, 0x0020, 0x00, 0x02)
				IO (Decode16, 0x00A0, 0x00A0, 0x00, 0x02)
				IO (Decode16, 0x04D0, 0x04D0, 0x00, 0x02)
				IRQNoFlags () { 2 }
			})
		}

		Device (TIMR)
		{
			Name (_HID, EisaId ("PNP0100"))
			Method (_STA) { Return (STAT (1)) }
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0040, 0x0040, 0x00, 0x04)
				IRQNoFlags () { 0 }
			})
		}

		Device (SPKR)
		{
			Name (_HID, EisaId ("PNP0800"))
			Method (_STA) { Return (STAT (1)) }
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0061, 0x0061, 0x00, 0x01)
			})
		}

		Device (KBD)
		{
			Name (_HID, EisaId ("PNP0303"))
			Method (_STA) { Return (STAT (4)) }
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0060, 0x0060, 0x00, 0x01)
				IO (Decode16, 0x0064, 0x0064, 0x00, 0x01)
				IRQNoFlags () { 1 }
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, One)
			Method (_STA) { Return (STAT (5)) }
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x03F8, 0x03F8, 0x00, 0x08)
				IRQNoFlags () { 4 }
			})
		}

		Device (COM2)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 0x02)
			Method (_STA) { Return (STAT (6)) }
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x02F8, 0x02F8, 0x00, 0x08)
				IRQNoFlags () { 3 }
			})
		}

		Device (RTC)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Method (_STA) { Return (STAT (8)) }
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0070, 0x0070, 0x00, 0x02)
				IRQNoFlags () { 8 }
			})
		}

		/* What the guest must not give to others: fixed ACPI registers, reset ports, interrupt controllers. */
		Device (SYSR)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0092, 0x0092, 0x00, 0x01)
				IO (Decode16, 0x0600, 0x0600, 0x00, 0x0C)
				IO (Decode16, 0x0CF9, 0x0CF9, 0x00, 0x01)
				Memory32Fixed (ReadWrite, 0xFEC00000, 0x00001000)
				Memory32Fixed (ReadWrite, 0xFEE00000, 0x00001000)
			})
		}
	}
}
