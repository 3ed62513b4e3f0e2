#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# mkhost.sh OUT: makes OUT/host.img, a disk with a Debian 12 host that runs Xen, as its packages make it: systemd, sshd, GRUB,
# Debian's Xen and its tools. EFI firmware boots it. OUT/id is root's key. OUT/base.tar, the host before it was configured, is
# used again. As root: who owns what is in the image. Nothing is mounted.
set -eu

[ $# = 1 ] || { echo "usage: mkhost.sh OUT" >&2; exit 2; }
mkdir -p "$1"
out=$(realpath "$1")
root=$out/root
image=$out/host.img
mib=1600 esp_mib=64
uuid=6d0c1b5e-6b1f-4c38-8a52-1d7f0a7a9e11
partuuid=0f3d7c42-5b6e-4e0b-9a55-77c1d1b0c2a3
PATH=$PATH:/sbin:/usr/sbin

# Where this machine's own packages come from: Debian 12's main alone.
sources() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
        awk '$2 ~ /^bookworm(-updates|-security)?$/ && $3 == "main" { print "deb", $1, $2, $3 }'
}

packages=systemd-sysv,udev,dbus,libpam-systemd,openssh-server,iproute2,ifupdown,kmod,procps,zstd
packages=$packages,linux-image-amd64,initramfs-tools,grub-efi-amd64
packages=$packages,xen-hypervisor-4.17-amd64,xen-hypervisor-common,xen-utils-4.17,xenstore-utils
# What the project's own packages depend on.
packages=$packages,libjansson4,libprotobuf-c1,libsqlite3-0,python3-minimal

rm -rf "$root"
if [ ! -e "$out/base.tar" ]; then
    # Few modules: the RAM disk is unpacked in an emulator.
    sources | mmdebstrap --quiet --mode=root --variant=minbase --include=$packages \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"
            echo MODULES=list >"$1/etc/initramfs-tools/conf.d/host"
            printf "%s\n" virtio_pci virtio_blk ext4 crc32c_generic >"$1/etc/initramfs-tools/modules"' \
        bookworm "$out/base.new.tar" -
    mv "$out/base.new.tar" "$out/base.tar"
fi
mkdir "$root"
tar -C "$root" --numeric-owner -xf "$out/base.tar"

# --- What a person would configure ---

[ -e "$out/id" ] || ssh-keygen -q -t ed25519 -N '' -C host -f "$out/id"
mkdir -p "$root/root/.ssh" "$root/boot/efi"
chmod 700 "$root/root/.ssh"
cp "$out/id.pub" "$root/root/.ssh/authorized_keys"
echo host >"$root/etc/hostname"
echo 127.0.0.1 localhost host >"$root/etc/hosts"
printf 'UUID=%s / ext4 errors=remount-ro 0 1\nLABEL=ESP /boot/efi vfat umask=0077 0 2\n' $uuid >"$root/etc/fstab"
printf 'auto lo\niface lo inet loopback\nauto enp0s2\niface enp0s2 inet static\n  address 10.0.2.15/24\n' >"$root/etc/network/interfaces"
echo UseDNS no >"$root/etc/ssh/sshd_config.d/host.conf"
cat >"$root/etc/default/grub.d/host.cfg" <<X
GRUB_TIMEOUT=0
GRUB_TERMINAL=serial
GRUB_DISABLE_OS_PROBER=true
GRUB_CMDLINE_XEN_DEFAULT="dom0_mem=1G,max:1G console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all console_timestamps=boot"
GRUB_CMDLINE_LINUX_XEN_REPLACE_DEFAULT="console=hvc0"
X

# --- GRUB's configuration, as update-grub makes it ---

# In a directory there is no device that could be asked.
probe=$root/usr/sbin/grub-probe
mv "$probe" "$probe.real"
cat >"$probe" <<X
#!/bin/sh
case "\$*" in
*target=device*) echo /dev/vda2 ;;
*target=fs_uuid*) echo $uuid ;;
*target=partuuid*) echo $partuuid ;;
*target=partmap*) echo gpt ;;
*target=drive*) echo "(hd0,gpt2)" ;;
*target=fs*) echo ext2 ;;
esac
X
chmod 755 "$probe"
mkdir -p "$root/dev/disk/by-uuid"
: >"$root/dev/disk/by-uuid/$uuid"
chroot "$root" update-grub >"$out/update-grub.log" 2>&1 || { cat "$out/update-grub.log" >&2; exit 1; }
rm -r "$root/dev/disk"
mv "$probe.real" "$probe"
mkdir -p "$root/boot/grub/x86_64-efi"
cp "$root"/usr/lib/grub/x86_64-efi/*.mod "$root"/usr/lib/grub/x86_64-efi/*.lst "$root/boot/grub/x86_64-efi/"

# --- The disk: an EFI system partition, and the host's ---

rm -f "$image"
truncate -s ${mib}M "$image"
sfdisk -q "$image" <<X
label: gpt
start=1MiB, size=${esp_mib}MiB, type=uefi
start=$((1 + esp_mib))MiB, size=$((mib - esp_mib - 2))MiB, type=linux, uuid=$partuuid
X
mke2fs -q -F -t ext4 -U $uuid -m 0 -E "offset=$(((1 + esp_mib) << 20))" -d "$root" "$image" $((mib - esp_mib - 2))M
printf 'search.fs_uuid %s root\nset prefix=($root)/boot/grub\n' $uuid >"$out/grub.cfg"
grub-mkimage -O x86_64-efi -d "$root/usr/lib/grub/x86_64-efi" -c "$out/grub.cfg" -p /boot/grub -o "$out/BOOTX64.EFI" \
    part_gpt ext2 search search_fs_uuid normal configfile gzio
esp=$image@@1M
mformat -i "$esp" -T $((esp_mib * 2048)) -h 64 -s 32 -v ESP ::
mmd -i "$esp" ::/EFI ::/EFI/BOOT
mcopy -i "$esp" "$out/BOOTX64.EFI" ::/EFI/BOOT/
rm -rf "$root" "$out/BOOTX64.EFI" "$out/grub.cfg"
