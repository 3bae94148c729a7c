#!/bin/sh
# Installs the files of this tarball and starts the house. Configuration that is there already stays. Run it again to upgrade.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" = 0 ] || { echo "run it as root" >&2; exit 1; }
cd "$here/root"
find . -type f | sort | while read -r file; do
  file=${file#./}
  case $file in
    etc/*) [ -e "/$file" ] && { echo "kept: /$file"; continue; } ;;
  esac
  mode=644; [ -x "$file" ] && mode=755
  install -D -m "$mode" "$file" "/$file"
done
systemd-sysusers gatehouse.conf
systemctl daemon-reload
systemctl enable --quiet gatehouse.service
systemctl restart gatehouse.service
echo "gatehouse runs; put the filter of /usr/share/doc/gatehouse/envoy.yaml into your Envoy, and its user into the group gatehouse"
