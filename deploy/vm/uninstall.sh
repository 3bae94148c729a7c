#!/bin/sh
# Takes away what install.sh brought; --purge also the configuration, and the spool with what was not delivered yet.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" = 0 ] || { echo "run it as root" >&2; exit 1; }
systemctl disable --quiet --now gatehouse.service 2>/dev/null || true
cd "$here/root"
find . -type f | sort | while read -r file; do
  file=${file#./}
  case $file in
    etc/*) [ "${1:-}" = --purge ] || continue ;;
  esac
  rm -f "/$file"
done
rmdir /usr/lib/gatehouse /usr/share/doc/gatehouse 2>/dev/null || true
[ "${1:-}" = --purge ] && rm -rf /var/lib/gatehouse /etc/gatehouse
systemctl daemon-reload
