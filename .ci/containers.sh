#!/usr/bin/env bash
# podman on a bare Debian, and a base image without a registry: what `make image` and `pytest -m containers` need.
# usage, as root: .ci/containers.sh FOLDER BASE, then: export CONTAINERS_CONF=FOLDER/containers.conf
# FOLDER gets the settings, BASE (python3 with venv, certificates, OpenMP) is the image's name. What is there already is left as it is.
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
base=$2

missing=()
for package in podman runc netavark aardvark-dns iptables debootstrap; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  patient="-o DPkg::Lock::Timeout=300 -o Acquire::Retries=5"
  apt-get $patient update -qq
  DEBIAN_FRONTEND=noninteractive apt-get $patient install -y -qq --no-install-recommends "${missing[@]}" >"$folder/apt.log" 2>&1 ||
    { tail -20 "$folder/apt.log"; exit 1; }
fi

# Root of a virtual machine or of a container may not raise its own limits, which podman's defaults would do. runc and
# cgroupfs: crun refuses a mixture of both versions of control groups, and there may be no systemd to ask.
at_most() { if [ "$1" = unlimited ] || [ "$1" -gt "$2" ]; then echo "$2"; else echo "$1"; fi; }
files=$(at_most "$(ulimit -Hn)" 20000)
processes=$(at_most "$(ulimit -Hu)" 32768)
cat >"$folder/containers.conf" <<SETTINGS
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
[network]
network_backend = "netavark"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
SETTINGS
export CONTAINERS_CONF=$folder/containers.conf

if ! podman image exists "$base"; then
  echo "making $base of Debian's packages"
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  # the mirror that this machine's own packages come from
  mirror=$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Identifier: Packages' | sed -n "s/^$release //p" | sed -n 1p)
  root=$(mktemp -d "$folder/rootfs.XXXXXX")
  trap 'rm -rf "$root"' EXIT
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates,libgomp1 "$release" "$root" "$mirror" \
    >"$folder/debootstrap.log" 2>&1 || { tail -20 "$folder/debootstrap.log"; exit 1; }
  tar -C "$root" --exclude=./var/cache/apt --exclude=./var/lib/apt/lists --exclude='./dev/*' --exclude=./usr/share/doc \
    --exclude=./usr/share/locale -cf - . | podman import -q - "$base" >/dev/null
fi

# an engine that does not run containers, has no network for them, or loses what they say, is found out here and not in the first test
said=$(podman run --rm "$base" python3 -c 'print(6 * 7)')
code=0
podman run --rm --network host "$base" sh -c 'exit 3' || code=$?
[ "$said $code" = "42 3" ] || { echo "podman ran a container that said '$said' and ended with $code, not 42 and 3"; exit 1; }
