/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Boot sector: notes the firmware's memory map (int 15h, E820), enters protected mode, reads what the table in the
 * next sectors says from the first ATA disk, by PIO, and starts a multiboot kernel. bootdisk.py makes the table.
 */
        .set TABLE, 0x10000             /* u32 pieces, entry, mbi; for each piece lba, sectors, address */
        .set TABLE_SECTORS, 16
        .set MMAP, 0x8000
        .set MBI_MMAP_LENGTH, 44
        .set ATA, 0x1f0
        .set ATA_CONTROL, 0x3f6
        .set BUSY, 0x80
        .set DATA_READY, 8

        .code16
        .globl _start
_start: ljmp    $0, $1f
1:      xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x7c00, %sp

        /* Each entry with its length before it, as multiboot wants it. */
        mov     $MMAP + 4, %di
        xor     %ebx, %ebx
2:      mov     $0xe820, %eax
        mov     $0x534d4150, %edx       /* "SMAP" */
        mov     $20, %ecx
        int     $0x15
        jc      3f
        movl    $20, -4(%di)
        add     $24, %di
        test    %ebx, %ebx
        jnz     2b

3:      in      $0x92, %al              /* A20 */
        or      $2, %al
        and     $0xfe, %al
        out     %al, $0x92
        cli
        lgdt    gdtr
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmp    $8, $4f

        .code32
4:      mov     $16, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        movzwl  %di, %ebp
        sub     $MMAP + 4, %ebp         /* length of the map */
        mov     $0x7c00, %esp
        mov     $ATA_CONTROL, %edx      /* no interrupts from the disk */
        mov     $2, %al
        out     %al, %dx

        mov     $1, %ebx
        mov     $TABLE_SECTORS, %ecx
        mov     $TABLE, %edi
        call    read
        mov     $TABLE + 12, %esi
5:      mov     (%esi), %ebx
        mov     4(%esi), %ecx
        mov     8(%esi), %edi
        add     $12, %esi
        call    read
        decl    TABLE
        jnz     5b

        mov     TABLE + 8, %ebx
        mov     %ebp, MBI_MMAP_LENGTH(%ebx)
        mov     $0x2badb002, %eax       /* multiboot loader */
        jmp     *TABLE + 4

/* Reads %ecx sectors, the first of them %ebx, to %edi: 128 at a time. */
read:   pusha
6:      test    %ecx, %ecx
        jz      9f
        mov     %ecx, %eax
        cmp     $128, %eax
        jbe     7f
        mov     $128, %eax
7:      push    %ecx
        push    %eax
        mov     $ATA + 2, %edx          /* count, LBA in three bytes and four bits, command */
        out     %al, %dx
        mov     %ebx, %eax
        inc     %edx
        out     %al, %dx
        shr     $8, %eax
        inc     %edx
        out     %al, %dx
        shr     $8, %eax
        inc     %edx
        out     %al, %dx
        shr     $8, %eax
        and     $15, %al
        or      $0xe0, %al
        inc     %edx
        out     %al, %dx
        inc     %edx
        mov     $0x20, %al
        out     %al, %dx
        mov     (%esp), %eax
8:      push    %eax
        mov     $ATA + 7, %edx
10:     in      %dx, %al
        test    $BUSY, %al
        jnz     10b
        test    $DATA_READY, %al
        jz      10b
        mov     $ATA, %edx
        mov     $256, %ecx
        cld
        rep insw
        pop     %eax
        dec     %eax
        jnz     8b
        pop     %eax
        pop     %ecx
        add     %eax, %ebx
        sub     %eax, %ecx
        jmp     6b
9:      popa
        ret

        .balign 8
gdt:    .quad   0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:   .word   gdtr - gdt - 1
        .long   gdt
        .org    510
        .word   0xaa55
