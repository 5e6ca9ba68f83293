# shellcheck shell=bash
# What ./build, ./quickstart and ./test have in common. Sourced at the root of the checkout.

# MSBuild and NuGet talk less and leave no process behind.
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_WORKLOAD_UPDATE_NOTIFY_DISABLE=true

# Sets DOTNET to a .NET 10 SDK. sudo may have cut PATH: looks also where installers put it.
find_dotnet() {
  local home=${HOME:-/root} invoker
  invoker=$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)
  for DOTNET in "$(command -v dotnet || true)" "${DOTNET_ROOT:-}/dotnet" /usr/share/dotnet/dotnet /usr/lib/dotnet/dotnet "$home/.dotnet/dotnet" "$invoker/.dotnet/dotnet"; do
    if [ -x "$DOTNET" ] && "$DOTNET" --version 2>/dev/null | grep -q '^10\.'; then
      return
    fi
  done
  echo "error: no .NET 10 SDK was found" >&2
  echo "  next: install it (https://learn.microsoft.com/dotnet/core/install/linux-debian) and run this again" >&2
  exit 1
}

# One line that changes when a source under the given directories does.
sources_stamp() {
  { cat Directory.* .editorconfig global.json BannedSymbols.txt build scripts/programs.proj
    find "$@" -type d \( -name bin -o -name obj \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; } | sha256sum | cut -d' ' -f1
}

# The end of a log and what it is of, on standard error.
show_log() {
  echo "error: $2; the end of $1:" >&2
  tail -n 40 "$1" | sed 's/^/  | /' >&2
}

# Installs the Debian packages that are missing. Their services are not started: other programs' ports stay free, services that run stay alone.
install_packages() {
  local missing=() package policy=/usr/sbin/policy-rc.d
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if ! command -v apt-get > /dev/null; then
    echo "error: these packages are missing and there is no apt-get: ${missing[*]}" >&2
    exit 1
  fi

  local log=artifacts/packages.log made_policy= made_disable= result=0
  mkdir -p artifacts
  # Debian's way to say that an installation starts no service (invoke-rc.d(8)).
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod +x $policy
    made_policy=1
  fi
  # And that no PostgreSQL cluster is made (createcluster.conf(5)).
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
    made_disable=1
  fi
  {
    export DEBIAN_FRONTEND=noninteractive
    timeout 300 apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confold "${missing[@]}" \
      || { timeout 120 apt-get update && timeout 300 apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confold "${missing[@]}"; }
  } > $log 2>&1 < /dev/null || result=$?
  [ -z "$made_policy" ] || rm -f $policy
  # postgresql-common ships a file of this name, which ucf(1) has put beside ours: its own one takes the place.
  if [ -n "$made_disable" ]; then
    rm -f /etc/postgresql-common/createcluster.conf
    [ ! -e /etc/postgresql-common/createcluster.conf.ucf-dist ] \
      || mv /etc/postgresql-common/createcluster.conf.ucf-dist /etc/postgresql-common/createcluster.conf
    rmdir /etc/postgresql-common 2> /dev/null || true
  fi
  # The packages enable their services for the next boot; nobody asked for that.
  if [ $result -eq 0 ] && command -v systemctl > /dev/null && [ -d /run/systemd/system ]; then
    for package in "${missing[@]}"; do
      case $package in
        redis-server) systemctl disable --quiet redis-server 2>> $log || true ;;
        postgresql-15) systemctl disable --quiet postgresql 2>> $log || true ;;
      esac
    done
  fi
  if [ $result -ne 0 ]; then
    show_log $log "these packages could not be installed: ${missing[*]}"
    exit 1
  fi
}

# Unpacks Debian packages into a directory of artifacts instead of installing them: those that would change this machine.
unpack_packages() {
  local directory=artifacts/$1 log=artifacts/packages.log; shift
  [ ! -e "$directory/.unpacked" ] || return 0
  rm -rf "$directory"
  mkdir -p "$directory/packages"
  (
    cd "$directory/packages"
    timeout 120 apt-get download "$@" || { timeout 120 apt-get update && timeout 120 apt-get download "$@"; }
  ) >> $log 2>&1 < /dev/null || { show_log $log "these packages could not be downloaded: $*"; exit 1; }
  local package
  for package in "$directory"/packages/*.deb; do
    dpkg-deb --extract "$package" "$directory"
  done
  rm -r "$directory/packages"
  touch "$directory/.unpacked"
}
