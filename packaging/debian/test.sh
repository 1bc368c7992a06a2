#!/bin/sh
# Run by packaging/test.sh in an empty Debian: installs /voxgate.deb, runs it, removes it, and purges it.
set -eu

fail() { echo "deb: $*" >&2; exit 1; }
mode() { stat -c '%a %U' "$1"; }

# It needs nothing that an empty Debian lacks.
dpkg -i /voxgate.deb >/tmp/install.log 2>&1 || { cat /tmp/install.log; exit 1; }
grep -q "once the provider's key is in" /tmp/install.log || fail "the installation does not say what is missing"
[ "$(voxgate --version)" = "voxgate $VERSION" ] || fail "voxgate --version"
[ "$(mode /etc/voxgate/secrets)" = '700 root' ] || fail "the secrets' folder is open"
[ "$(mode /etc/voxgate/secrets/jwt_secret)" = '600 root' ] || fail "the secret is open"
[ "$(wc -c </etc/voxgate/secrets/jwt_secret)" = 64 ] || fail "the secret is not whole"
[ "$(mode /etc/voxgate/voxgate.env)" = '600 root' ] || fail "the variables are open"
dpkg-query -W -f '${Conffiles}' voxgate | grep -q '/etc/voxgate/voxgate.toml' || fail "the settings are no conffile"
# Debian's slim images leave documentation out, but the package has it.
dpkg-deb -c /voxgate.deb | grep -q './usr/share/man/man1/voxgate.1.gz' || fail "there is no manual page"
[ -L /etc/systemd/system/multi-user.target.wants/voxgate.service ] || fail "the service is not enabled"

# As the unit runs it, but for systemd: the settings of the package, the made secret, and no key. The container has a network
# of its own, so that the ports are free.
export VOXGATE_CONFIG=/etc/voxgate/voxgate.toml VOXGATE_JWT_SECRET_FILE=/etc/voxgate/secrets/jwt_secret
export VOXGATE_BIND=127.0.0.1:8080 VOXGATE_OPS_BIND=127.0.0.1:9090 VOXGATE_DATA_DIR=/var/lib/private/voxgate VOXGATE_LOG__FORMAT=json
install -d -m 700 /var/lib/private
mkfifo /tmp/log
voxgate serve 2>/tmp/log >/dev/null &
gateway=$!
(while read -r line; do case $line in *'"listening"'*) echo listening; esac; done </tmp/log) >/tmp/seen &
reader=$!
for _ in $(seq 100); do [ -s /tmp/seen ] && break; kill -0 "$gateway" || fail "the gateway did not start"; sleep 0.1; done
voxgate health || fail "the gateway is not ready"
kill "$gateway"
wait "$gateway" || fail "the gateway ended with $?"
wait "$reader"

secret=$(cat /etc/voxgate/secrets/jwt_secret)
dpkg -i /voxgate.deb >/dev/null 2>&1
[ "$secret" = "$(cat /etc/voxgate/secrets/jwt_secret)" ] || fail "another installation makes another secret"
dpkg -r voxgate >/dev/null 2>&1
[ -e /etc/voxgate/secrets/jwt_secret ] && [ -e /etc/voxgate/voxgate.toml ] || fail "to remove it loses the settings"
[ ! -e /usr/bin/voxgate ] || fail "to remove it leaves the binary"
dpkg --purge voxgate >/tmp/purge.log 2>&1
[ ! -e /etc/voxgate ] || fail "to purge it leaves settings: $(ls -R /etc/voxgate)"
[ -d /var/lib/private/voxgate ] || fail "to purge it loses what callers were charged"
grep -q 'usage and charges are kept' /tmp/purge.log || fail "the purge does not say what it keeps"
