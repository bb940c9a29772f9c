#!/bin/bash
# Installs the Debian packages that the tests use, without starting or configuring any service.
#
# Exits 0 also when packages stay missing; then $cache/missing.json says which and why, and the tests that
# need them are skipped with that reason (in CI, a skipped test is a failure).
#
#   SYNNEFO_LAB_CACHE   where downloads and the report go (default: ~/.cache/synnefo-lab)
set -euo pipefail

packages=(
    postgresql rabbitmq-server memcached ganeti ganeti-3.0 qemu-system-x86 qemu-utils busybox-static
    nftables collectd-core rrdtool socat iproute2 openssh-client dropbear-bin e2fsprogs fdisk cpio kmod util-linux procps
    ceph-mon ceph-osd ceph-common python3-rados
    slapd ldap-utils gcc libc6-dev python3-dev libldap2-dev libsasl2-dev xmlsec1 chromium chromium-headless-shell
    rclone duplicity python3-swiftclient
)
# What "make bench" measures against; with --peers only.
[ "${1:-}" = --peers ] && packages+=(swift-proxy swift-account swift-container swift-object)
# For the test guest only: unpacked into the cache, never installed.
guest_packages=(grub-pc-bin grub-common)
kernel_metapackage=linux-image-cloud-amd64

cache="${SYNNEFO_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/synnefo-lab}"
guest="$cache/guest-packages"
mkdir -p "$cache"

say() { echo "install_packages: $*"; }

report() { # reason package...
    local reason="$1" list
    shift
    list=$(printf '"%s", ' "$@")
    [ $# -gt 0 ] || list=""
    printf '{"missing": [%s], "reason": "%s"}\n' "${list%, }" "$reason" > "$cache/missing.json"
}

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

guest_complete() {
    compgen -G "$guest/root/boot/vmlinuz-*-cloud-amd64" > /dev/null && [ -x "$guest/root/usr/bin/grub-mkimage" ]
}

if ! command -v dpkg-query > /dev/null; then
    say "this is not a Debian system: install ${packages[*]} yourself"
    report "this is not a Debian system" "${packages[@]}"
    exit 0
fi

exec 9> "$cache/packages.lock"
flock 9

if [ "$(id -u)" = 0 ]; then
    as_root=()
elif sudo -n true 2> /dev/null; then
    as_root=(sudo -n)
else
    as_root=(false)
fi

mapfile -t missing < <(missing_packages)
updated=""
update() {
    [ -z "$updated" ] || return 0
    updated=yes
    "${as_root[@]}" apt-get update -qq || say "apt-get update failed; going on with the lists as they are"
}

policy=/usr/sbin/policy-rc.d
saved=/usr/sbin/policy-rc.d.before-synnefo-lab
pgconf=/etc/postgresql-common/createcluster.d/synnefo-lab.conf
made_pgconf_directory=""

restore() {
    "${as_root[@]}" rm -f "$pgconf"
    [ -z "$made_pgconf_directory" ] || "${as_root[@]}" rmdir "${pgconf%/*}" 2> /dev/null || true
    if [ -e "$saved" ]; then
        "${as_root[@]}" mv -f "$saved" "$policy"
    elif grep -qs "synnefo-lab" "$policy"; then
        "${as_root[@]}" rm -f "$policy"
    fi
}

forbid_services() {
    # What a killed run may have left is put right first.
    restore
    [ ! -e "$policy" ] || "${as_root[@]}" mv "$policy" "$saved"
    printf '#!/bin/sh\n# synnefo-lab: no service starts while test packages are installed\nexit 101\n' |
        "${as_root[@]}" tee "$policy" > /dev/null
    "${as_root[@]}" chmod 755 "$policy"
    # PostgreSQL's package would create and enable a cluster.
    [ -d "${pgconf%/*}" ] || made_pgconf_directory=yes
    "${as_root[@]}" mkdir -p "${pgconf%/*}"
    echo "create_main_cluster = false" | "${as_root[@]}" tee "$pgconf" > /dev/null
}

disable_new_services() { # package...
    # Installed units are enabled for the next boot; what we brought shall not run then either.
    command -v systemctl > /dev/null || return 0
    local package unit
    for package in "$@"; do
        case "$package" in
            postgresql) unit="postgresql.service" ;;
            ceph-mon | ceph-osd) unit="$package.target" ;;
            rabbitmq-server | memcached | ganeti | slapd) unit="$package.service" ;;
            *) continue ;;
        esac
        "${as_root[@]}" systemctl disable "$unit" > /dev/null 2>&1 || true
    done
}

if [ ${#missing[@]} -gt 0 ]; then
    if [ "${as_root[*]}" = false ]; then
        say "without root (or sudo that asks no password) these cannot be installed: ${missing[*]}"
        say "the tests that need them are skipped; as root: apt-get install --no-install-recommends ${missing[*]}"
        report "there is neither root nor sudo without password" "${missing[@]}"
    else
        say "installing ${missing[*]}"
        trap restore EXIT
        trap 'exit 130' INT TERM HUP
        update
        forbid_services
        if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
            --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
            "${missing[@]}" > "$cache/install.log" 2>&1; then
            tail -20 "$cache/install.log"
            say "apt-get install failed, see $cache/install.log"
        fi
        disable_new_services "${missing[@]}"
        restore
        trap - EXIT
        mapfile -t missing < <(missing_packages)
        if [ ${#missing[@]} -gt 0 ]; then
            report "apt-get failed" "${missing[@]}"
        else
            report "nothing is missing"
        fi
    fi
else
    say "all packages are installed"
    report "nothing is missing"
fi

if ! guest_complete; then
    say "unpacking the kernel and boot loader of the test guest into $guest"
    [ "${as_root[*]}" = false ] || update
    rm -rf "$guest"
    mkdir -p "$guest/root"
    kernel=$(apt-cache depends "$kernel_metapackage" 2> /dev/null | awk '/Depends: linux-image-[0-9]/ {print $2; exit}' || true)
    if [ -n "$kernel" ] && (cd "$guest" && apt-get download -qq "$kernel" "${guest_packages[@]}" 2> download.log); then
        for archive in "$guest"/*.deb; do
            dpkg-deb -x "$archive" "$guest/root"
        done
        rm -f "$guest"/*.deb
    else
        say "could not download them: tests with a booting guest will say so"
    fi
fi
