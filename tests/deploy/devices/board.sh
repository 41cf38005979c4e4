# A board to be reached by ssh: Debian's own sshd over a Debian of its CPU, in namespaces of its own, as its user alone.
# Run by virtual_board.py: unshare --user --map-root-user --mount --pid --fork bash board.sh USERLAND FOLDER QEMU
# USERLAND: only read. FOLDER: what the board writes, with cpuinfo and elf (what its programs begin with, and a mask).
set -e
userland=$1 folder=$2 qemu=$3
# binfmt_misc is one for each user namespace since Linux 6.7: what is registered here is known here alone.
mount -t binfmt_misc binfmt "$folder/binfmt"
echo ":board:M::$(cat "$folder/elf"):$qemu:F" > "$folder/binfmt/register"
root=$folder/root
mount --bind "$userland" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount --bind "$folder/cpuinfo" "$root/proc/cpuinfo"
for name in home run tmp; do mount --bind "$folder/$name" "$root/$name"; done
mount -t tmpfs -o "size=$BOARD_SPACE" tmpfs "$root/home/pi/small"
# Within, one more user namespace: its only user is an ordinary one, for whom sshd needs no rights.
exec env -i PATH=/usr/bin:/bin QEMU_CPU="$QEMU_CPU" unshare --user --map-user=1000 --map-group=1000 \
  --root="$root" --wd=/ /usr/sbin/sshd -D -e -f /run/board/sshd_config
