#!/usr/bin/env bash
# The shared libraries that Qt needs, and a font with Chinese characters, on Debian and Ubuntu.
# Installs what is missing when it may (root, or sudo without a password); else stops with the exact line to run.
# Elsewhere (macOS, other Linux) it does nothing: Qt's wheels bring what they need, or the distribution has it.
set -euo pipefail

# offscreen: tests, demo and screenshots; window: a real window on X11
offscreen="libegl1 libgl1 libfontconfig1 libglib2.0-0 libdbus-1-3 libxkbcommon0 fonts-wqy-microhei"
window="libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxkbcommon-x11-0"

command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 || exit 0

# a name may have become virtual (libglib2.0-0 is libglib2.0-0t64 on newer Ubuntu), so what provides it counts too
installed=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package} ${Provides}\n' | sed -n 's/^ii *//p' | tr -d ',')
missing=""
for package in $offscreen $window; do
    grep -qE "(^| )${package//./\\.}( |\$)" <<<"$installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

line="apt-get install --yes --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "Qt needs system libraries that are not installed:$missing" >&2
    echo "Next: run this line, then the same make command again:" >&2
    echo "    sudo $line" >&2
    exit 2
fi
echo "Installing the system libraries that Qt needs:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive $line -qq >/dev/null
