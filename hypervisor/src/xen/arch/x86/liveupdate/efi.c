/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "efi": what EFI firmware told when the host booted.
 *
 * No firmware starts a target: it enters Xen as a multiboot2 loader does on a
 * host with a BIOS.  What efi_multiboot2() or efi_start() would have asked the
 * boot services, which are gone, the stream tells instead, as soon as it can be
 * read.  What a boot asks before, it asks as on a host with a BIOS: so the ACPI
 * root pointer is in the handover page (with memory above 4 GiB ACPI's tables are
 * looked at early), and DMI's table is not looked for (init_e820()).  From
 * efi_init_memory() on nothing is different, and no firmware is called.
 *
 * Runtime services are called by their machine addresses, in page tables of
 * Xen's own that map these 1:1 (efi_rs_enter()); their memory, tables and the
 * copies of PCI ROMs are no RAM to Xen, so everything that is told is an address
 * that stays good.
 *
 * Carried: the tables of EFI firmware, its memory map, runtime services.
 */

#include <xen/efi.h>
#include <xen/init.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/pfn.h>

#include <asm/e820.h>
#include <asm/liveupdate-efi.h>
#include <asm/page.h>

#include "../../../common/efi/efi.h"

/* Of the boot, as its own variables are gone when it is over. */
static uint32_t __ro_after_init boot_revision;
static bool __ro_after_init boot_mapped;

/* efi_init_memory(), before it does anything. */
void __init liveupdate_efi_init(uint32_t *revision, bool *map_bs)
{
    if ( liveupdate_boot )
    {
        *revision = boot_revision;
        *map_bs = boot_mapped;
    }
    else
    {
        boot_revision = *revision;
        boot_mapped = *map_bs;
    }
}

/* 0: the target finds it by scanning. */
paddr_t liveupdate_rsdp(void)
{
    if ( !efi_enabled(EFI_BOOT) )
        return 0;

    if ( efi.acpi20 != EFI_INVALID_TABLE_ADDR )
        return efi.acpi20;

    return efi.acpi != EFI_INVALID_TABLE_ADDR ? efi.acpi : 0;
}

/*
 * Where a target's trampoline goes is decided by head.S before a line of C, by
 * what the BIOS data area says, and by what the loader says if that is less.
 * EFI firmware has no such area, and leaves whatever there.
 */
void liveupdate_efi_prepare_jump(void)
{
    if ( !efi_enabled(EFI_BOOT) )
        return;

    *(uint16_t *)maddr_to_virt(0x40e) = 0;   /* no extended area */
    *(uint16_t *)maddr_to_virt(0x413) = 640; /* KiB of base memory */
}

static int cf_check efi_check(struct domain *unused)
{
    if ( efi_enabled(EFI_BOOT) &&
         !page_is_ram_type(0, RAM_TYPE_CONVENTIONAL) )
        return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                 "EFI firmware keeps the first page of memory, where a target's boot begins");

    return 0;
}

#ifdef CONFIG_EFI

/* The pointers are machine addresses moved up, see efi_exit_boot(). */
static uint64_t firmware_addr(const void *p)
{
    return p ? (unsigned long)p - DIRECTMAP_VIRT_START : 0;
}

static void *__init firmware_ptr(uint64_t addr)
{
    return addr ? (void *)(addr + DIRECTMAP_VIRT_START) : NULL;
}

static int cf_check efi_save(struct lu_writer *w, struct domain *unused)
{
    struct lu_efi *r;
    UINTN i;

    if ( !efi_enabled(EFI_BOOT) )
        return 0;

    r = lu_record_begin(w, LU_REC_EFI, 0, 0);
    if ( !r )
        return -ENOSPC;
    if ( efi_enabled(EFI_RS) )
        r->flags |= LU_EFI_RUNTIME;
    if ( boot_mapped )
        r->flags |= LU_EFI_MAP_BOOT;
    r->version = efi_version;
    r->boot_revision = boot_revision;
    r->fw_revision = efi_fw_revision;
    r->fw_vendor = firmware_addr(efi_fw_vendor);
    r->runtime_services = firmware_addr(efi_rs);
    r->config_table = firmware_addr(efi_ct);
    r->nr_config = efi_num_ct;
    r->mps = efi.mps;
    r->acpi = efi.acpi;
    r->acpi20 = efi.acpi20;
    r->smbios = efi.smbios;
    r->smbios3 = efi.smbios3;
    r->var_store_size = efi_boot_max_var_store_size;
    r->var_store_left = efi_boot_remain_var_store_size;
    r->var_size = efi_boot_max_var_size;
    r->apple_addr = efi_apple_properties_addr;
    r->apple_size = efi_apple_properties_len;
    r->pci_roms = firmware_addr(efi_pci_roms);
    r->directmap = DIRECTMAP_VIRT_START;

    for ( i = 0; i < efi_memmap_size; i += efi_mdesc_size )
    {
        const EFI_MEMORY_DESCRIPTOR *desc = efi_memmap + i;
        struct lu_efi_entry *e = lu_record_entries(w, 1);

        if ( !e )
            return -ENOSPC;
        e->type = desc->Type;
        e->start = desc->PhysicalStart;
        e->nr = desc->NumberOfPages;
        e->attribute = desc->Attribute;
    }
    lu_record_end(w);

    return 0;
}

/* The memory map, in the slot: it is there as long as this Xen is. */
static void __init adopt_memory_map(const struct lu_record *r)
{
    EFI_MEMORY_DESCRIPTOR *desc;
    unsigned int i;

    efi_mdesc_size = sizeof(*desc);
    efi_memmap_size = r->nr * sizeof(*desc);
    desc = mfn_to_virt(mfn_x(alloc_boot_pages(PFN_UP(efi_memmap_size), 1)));
    efi_memmap = desc;

    for ( i = 0; i < r->nr; i++, desc++ )
    {
        struct lu_efi_entry e;

        LU_ENTRY(r, i, &e);
        *desc = (EFI_MEMORY_DESCRIPTOR){
            .Type = e.type,
            .PhysicalStart = e.start,
            .NumberOfPages = e.nr,
            .Attribute = e.attribute,
        };
    }
}

/* liveupdate_adopt(), as long as memory comes from the slot. */
void __init liveupdate_efi_adopt(void)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_EFI, LU_ANY_DOMID);
    struct lu_efi efi_record;

    /* Without firmware below there are no runtime services, whatever efi= says. */
    efi_flags = 0;
    if ( !r )
        return;

    LU_FIXED(r, &efi_record);
    if ( efi_record.pci_roms && efi_record.directmap != DIRECTMAP_VIRT_START )
        panic("liveupdate: copies of PCI ROMs are linked by addresses that are not this Xen's\n");

    efi_flags = 1U << EFI_BOOT;
    if ( efi_record.flags & LU_EFI_RUNTIME )
        efi_flags |= 1U << EFI_RS;

    boot_mapped = efi_record.flags & LU_EFI_MAP_BOOT;
    boot_revision = efi_record.boot_revision;
    efi_version = efi_record.version;
    efi_fw_revision = efi_record.fw_revision;
    efi_fw_vendor = firmware_ptr(efi_record.fw_vendor);
    efi_rs = firmware_ptr(efi_record.runtime_services);
    efi_ct = firmware_ptr(efi_record.config_table);
    efi_num_ct = efi_record.nr_config;
    efi = (struct efi){
        .mps = efi_record.mps,
        .acpi = efi_record.acpi,
        .acpi20 = efi_record.acpi20,
        .smbios = efi_record.smbios,
        .smbios3 = efi_record.smbios3,
    };
    efi_boot_max_var_store_size = efi_record.var_store_size;
    efi_boot_remain_var_store_size = efi_record.var_store_left;
    efi_boot_max_var_size = efi_record.var_size;
    efi_apple_properties_addr = efi_record.apple_addr;
    efi_apple_properties_len = efi_record.apple_size;
    efi_pci_roms = firmware_ptr(efi_record.pci_roms);

    adopt_memory_map(r);
}

#else /* !CONFIG_EFI: the compiler or linker could not make it */

static int cf_check efi_save(struct lu_writer *w, struct domain *unused)
{
    return 0;
}

void __init liveupdate_efi_adopt(void)
{
    if ( lu_record_find(&liveupdate_stream, NULL, LU_REC_EFI, LU_ANY_DOMID) )
        panic("liveupdate: the host was booted by EFI, which this Xen was built without\n");
}

#endif

const struct liveupdate_resource liveupdate_res_efi = {
    .name = "efi",
    .host = true,
    .check = efi_check,
    .save = efi_save,
};
