# A phone to be reached by adb alone: Debian's adbd over a userland as bare as Android's, in namespaces of its own.
# Run by adb_virtual_phone.py: unshare --user --map-root-user --mount --net --pid --fork bash adb_phone.sh ROOT QEMU
# ROOT: the phone's file system. QEMU: runs programs of its CPU; empty when it is this machine's.
set -e
root=$1 qemu=$2
ip link set lo up
if [ -n "$qemu" ]; then
  # binfmt_misc is one for each user namespace since Linux 6.7: what is registered here is known here alone.
  mkdir -p "$root/../binfmt"
  mount -t binfmt_misc binfmt "$root/../binfmt"
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  echo ":phone:M::$magic:$mask:$qemu:F" > "$root/../binfmt/register"
fi
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --bind "$root/boot_id" "$root/proc/sys/kernel/random/boot_id"  # another each time it is switched on
if [ -f "$root/cpuinfo" ]; then mount --bind "$root/cpuinfo" "$root/proc/cpuinfo"; fi
for device in null zero random urandom; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
if [ -n "$PHONE_SPACE" ]; then mount -t tmpfs -o "size=$PHONE_SPACE" tmpfs "$root/data/local/tmp"; fi
libraries=$root/adbd
exec env -i PATH=/system/bin ADBD_PORT=5777 ANDROID_DATA=/data TMPDIR=/data/local/tmp HOME=/ QEMU_CPU="$QEMU_CPU" \
  /usr/sbin/chroot "$root" /adbd/ld.so --library-path /adbd /adbd/adbd
