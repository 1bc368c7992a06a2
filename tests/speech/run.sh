#!/usr/bin/env bash
# Runs run.py where what it needs is installed. Elsewhere it says so, and with REQUIRE_TOOLS=1 it fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=.test-tools/speech/bin/python
missing=()
cmp -s tests/speech/requirements.txt .test-tools/speech.installed || missing+=("the recogniser")
command -v espeak-ng >/dev/null || missing+=(espeak-ng)
case $(ffmpeg -hide_banner -filters 2>/dev/null || true) in
    *" flite "*) ;;
    *) missing+=("ffmpeg with flite") ;;
esac
if [ ${#missing[@]} -gt 0 ]; then
    printf 'skipped: tests/speech needs %s; `tests/install-tools.sh speech` installs what can be had\n' \
        "$(IFS=,; echo "${missing[*]}" | sed 's/,/, /g')" >&2
    [ "${REQUIRE_TOOLS:-}" != 1 ]
    exit
fi

export PYTHONDONTWRITEBYTECODE=1
"$python" tests/speech/tests.py --quiet
"$python" tests/speech/server_tests.py --quiet
"$python" tests/speech/local_tests.py --quiet
"$python" tests/speech/live.py "$@"
exec "$python" tests/speech/run.py "$@"
