#!/usr/bin/env bash
# Builds the image, brings docker-compose.yml up beside a provider of its own, and sends audio through it; then its profile
# `local`, with a stand-in for the speech server and no key.
#
# With VOXGATE_IMAGE=NAME it tests an image that is built already, and leaves out the README's chapter, which builds one.
#
# Needs a container engine that answers, and curl; says so and succeeds where there is none. CONTAINERS_REQUIRED=1 makes
# that a failure. The secrets, the port, the image tag and the project are made up for the run and gone after it.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "containers: $*"; }
fail() { say "FAILED: $*" >&2; exit 1; }
skip() {
  say "skipped: $*"
  [ "${CONTAINERS_REQUIRED:-0}" = 0 ] || exit 1
  exit 0
}

command -v docker >/dev/null || skip "there is no docker command"
docker version >/dev/null 2>&1 || skip "no container engine answers (docker version)"
command -v curl >/dev/null || skip "there is no curl command"
if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  skip "there is neither docker compose nor docker-compose"
fi

project=voxgate-test-$$
export VOXGATE_TEST_IMAGE=$project:latest
speech_image=$project-speech:latest
work=$(mktemp -d)
secrets=$work/secrets
# Environment files of its own: an operator's .env, or a key in this shell, must not get into the test.
printf '%s\n' "OPENAI_API_KEY_FILE=$secrets/openai_api_key" "VOXGATE_JWT_SECRET_FILE=$secrets/jwt_secret" \
  "PROVIDER_SECRET_FILE=$secrets/provider_secret" "VOXGATE_OPERATOR_TOKEN_FILE=$secrets/operator_token" >"$work/env"
unset OPENAI_API_KEY OPENAI_API_KEY_FILE OPENAI_BASE_URL VOXGATE_JWT_SECRET VOXGATE_JWT_SECRET_FILE VOXGATE_CONFIG \
  VOXGATE_OPENAI_SECRET VOXGATE_DEFAULT_MODEL VOXGATE_ON_STORE_FAILURE SPEECH_IMAGE COMPOSE_PROFILES COMPOSE_FILE
engine=("${compose[@]}")
compose+=(--env-file "$work/env" -p "$project" -f docker-compose.yml -f deploy/compose/operator.yml
  -f tests/containers/compose.yml)

take_down() {
  "${compose[@]}" down -v --remove-orphans >"$work/down.log" 2>&1 || cat "$work/down.log" >&2
}
clean_up() {
  local result=$?
  trap - EXIT
  if [ "$result" -ne 0 ]; then
    "${compose[@]}" ps >&2 || true
    "${compose[@]}" logs --tail=50 >&2 || true
  fi
  take_down
  docker image rm -f "$VOXGATE_TEST_IMAGE" "$speech_image" "voxgate:$project" >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$result"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# The host's network, because containers may have no way out of their own while the crates are fetched.
if [ -n "${VOXGATE_IMAGE:-}" ]; then
  docker tag "$VOXGATE_IMAGE" "$VOXGATE_TEST_IMAGE" || fail "there is no image $VOXGATE_IMAGE"
else
  say "building the image"
  docker build --network=host -t "$VOXGATE_TEST_IMAGE" . >"$work/build.log" 2>&1 ||
    { tail -40 "$work/build.log" >&2; fail "the image cannot be built"; }
fi

say "making secrets"
mkdir -m 700 "$secrets"
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
provider_secret=$(random)
random >"$secrets/jwt_secret"
random >"$secrets/operator_token"
printf '%s\n' "$provider_secret" >"$secrets/provider_secret"
# The gateway's key at the provider is a token of the provider's.
provider_key=$(VOXGATE_JWT_SECRET=$provider_secret docker run --rm -e VOXGATE_JWT_SECRET -e VOXGATE_BIND=127.0.0.1:0 \
  "$VOXGATE_TEST_IMAGE" token --sub gateway --ttl 1h)
printf '%s\n' "$provider_key" >"$secrets/openai_api_key"
chmod 644 "$secrets"/*

"${compose[@]}" --profile observability config >/dev/null || fail "the profile observability is no compose file"

say "starting"
# Port 0 of the host, so that nothing else is in the way: an address without a port is any free one.
export VOXGATE_PUBLISH=127.0.0.1: VOXGATE_OPS_PUBLISH=127.0.0.1:
"${compose[@]}" up -d --no-build >"$work/up.log" 2>&1 || { cat "$work/up.log" >&2; fail "compose cannot start"; }

container() { "${compose[@]}" ps -q "$1"; }
health() { docker inspect -f '{{.State.Health.Status}}' "$(container "$1")"; }
wait_for_health() {
  local deadline=$((SECONDS + 90))
  until [ "$(health "$1")" = healthy ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$1 is not healthy but $(health "$1")"
    sleep 1
  done
}
wait_for_health redis
wait_for_health gateway
wait_for_health provider
say "healthy"

find_gateway() {
  gateway=$(container gateway)
  address=$("${compose[@]}" port gateway 8080)
  case $address in
    127.0.0.1:*) ;;
    *) fail "the gateway is published on $address, not on the loopback address" ;;
  esac
}
token() { "${compose[@]}" exec -T gateway voxgate token --ttl 10m "$@" | tr -d '\r\n'; }
find_gateway
token=$(token --sub alice)

# One second of silence: 16 kHz, 16 bits, mono.
{
  printf 'RIFF\x24\x7d\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00'
  printf 'data\x00\x7d\x00\x00'
  head -c 32000 /dev/zero
} >"$work/silence.wav"
# The same with 130 seconds, over 4 MB: large enough for the spool to need its folder.
{
  printf 'RIFF\x24\x7a\x3f\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00'
  printf 'data\x00\x7a\x3f\x00'
  head -c 4160000 /dev/zero
} >"$work/long.wav"

transcribe() {
  curl -sS --max-time 60 -D "$work/headers" -o "$work/answer" -w '%{http_code}' "$@" \
    "http://$address/v1/audio/transcriptions" -H "Authorization: Bearer $token"
}
expect() {
  local status=$1 pattern=$2
  shift 2
  local got
  got=$(transcribe "$@") || fail "no answer"
  [ "$got" = "$status" ] || fail "status $got instead of $status: $(cat "$work/answer")"
  grep -q -- "$pattern" "$work/answer" || fail "no $pattern in: $(cat "$work/answer")"
}

expect 200 '"text"' -F file=@"$work/silence.wav" -F model=gpt-transcribe
grep -qi '^x-voxgate-provider: openai' "$work/headers" || fail "the answer does not name its provider: $(cat "$work/headers")"
grep -qi '^x-request-id: ' "$work/headers" || fail "the answer has no request id: $(cat "$work/headers")"
expect 200 '"text"' -F file=@"$work/long.wav" -F model=gpt-transcribe
expect 200 'data: \[DONE\]' -F file=@"$work/silence.wav" -F model=gpt-transcribe -F stream=true
authorised=$token
token=none
expect 401 '"invalid_token"' -F file=@"$work/silence.wav"
token=$authorised
say "audio goes through, whole and streamed; a bad token does not"

operator() {
  curl -sS --max-time 10 -o "$work/answer" -w '%{http_code}' "$@"
}
operator_token=$(cat "$secrets/operator_token")
ops=$("${compose[@]}" port gateway 9090)
case $ops in
  127.0.0.1:*) ;;
  *) fail "the second listener is published on $ops, not on the loopback address" ;;
esac
expect_operator() { # STATUS PATTERN PATH [CURL'S ARGUMENTS]
  local got
  got=$(operator "http://$ops$3" "${@:4}")
  [ "$got" = "$1" ] || fail "$3 answers $got instead of $1: $(cat "$work/answer")"
  grep -q -- "$2" "$work/answer" || fail "$3 has no $2: $(cat "$work/answer")"
}
bearer=(-H "Authorization: Bearer $operator_token")
expect_operator 200 '<html' /
expect_operator 404 '"not_found"' /operator/state
expect_operator 404 '"not_found"' /operator/usage -H "Authorization: Bearer $token"
# A Host that is a loopback address is nothing to go by: the engine's proxy hands on what anybody sends.
expect_operator 404 '"not_found"' /operator/state -H 'Host: 127.0.0.1'
expect_operator 200 '"providers"' /operator/state "${bearer[@]}"
expect_operator 200 'alice' /operator/requests "${bearer[@]}"
expect_operator 200 'alice' /operator/usage.csv "${bearer[@]}"
expect_operator 421 'misdirected_request' /operator/state "${bearer[@]}" -H 'Host: evil.example'
expect_operator 403 'origin_not_allowed' /operator/state "${bearer[@]}" -H 'Origin: http://evil.example'
say "the operator's page opens to its token alone"

user=$(docker top "$gateway" -o pid,uid | awk 'NR == 2 { print $2 }')
[ "$user" = 65532 ] || fail "the gateway runs as uid $user"
redis_user=$(docker top "$(container redis)" -o pid,uid | awk 'NR == 2 { print $2 }')
[ "$redis_user" != 0 ] || fail "Redis runs as root"
capabilities=$(awk '/^CapEff/ { print $2 }' "/proc/$(docker inspect -f '{{.State.Pid}}' "$gateway")/status" 2>/dev/null || true)
[ -z "$capabilities" ] || [ "$((16#$capabilities))" = 0 ] || fail "the gateway has capabilities: $capabilities"
[ "$(docker inspect -f '{{.HostConfig.ReadonlyRootfs}}' "$gateway")" = true ] || fail "the gateway's root can be written"
docker inspect "$gateway" | grep -qF "$provider_key" && fail "the provider's key can be read from the container's settings"
"${compose[@]}" exec -T redis redis-cli config get appendonly | grep -qx 'yes' || fail "Redis does not append to a file"
logs=$("${compose[@]}" logs --no-color gateway 2>&1)
for secret in "$provider_key" "$token" "$(cat "$secrets/jwt_secret")" "$operator_token"; do
  case $logs in *"$secret"*) fail "a secret is in the log" ;; esac
done
say "no root, no capabilities, nothing written, no secret to be seen"

redis() { "${compose[@]}" exec -T redis redis-cli --raw "$@" | tr -d '\r'; }
usage() { curl -sS --max-time 10 "http://$address/v1/usage" -H "Authorization: Bearer $token"; }
# A request is settled moments after its answer.
expect_usage() {
  local deadline=$((SECONDS + 15))
  local got=
  until [[ $got == *"\"total\":$1"* ]]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "no total of $1 in: $got"
    sleep 0.2
    got=$(usage) || true
  done
}
one_second='{"requests":1,"audio_ms":1000,"spent_usd":"0.000075"}'

token=$(token --sub bob --plan slow)
expect 200 '"text"' -F file=@"$work/silence.wav" -F model=gpt-transcribe
expect 429 '"rate_limit_exceeded"' -F file=@"$work/silence.wav" -F model=gpt-transcribe
grep -qi '^retry-after: ' "$work/headers" || fail "the refusal does not say when to come back: $(cat "$work/headers")"
expect_usage "$one_second"
[ -n "$(redis keys 'voxgate:*:bob:rates')" ] || fail "the rates are not in Redis: $(redis keys '*')"
token=$(token --sub carol --plan poor)
expect 200 '"text"' -F file=@"$work/silence.wav" -F model=gpt-transcribe
expect 429 '"insufficient_quota"' -F file=@"$work/silence.wav" -F model=gpt-transcribe
say "limits hold, and are in Redis"

"${compose[@]}" stop redis >"$work/stop.log" 2>&1 || { cat "$work/stop.log" >&2; fail "Redis cannot be stopped"; }
token=$(token --sub dave)
expect 200 '"text"' -F file=@"$work/silence.wav" -F model=gpt-transcribe
# Another container in the place of this one; Redis comes up with it.
"${compose[@]}" rm -sf gateway >"$work/rm.log" 2>&1 || { cat "$work/rm.log" >&2; fail "the gateway cannot be removed"; }
"${compose[@]}" up -d --no-build gateway >"$work/up.log" 2>&1 || { cat "$work/up.log" >&2; fail "compose cannot start again"; }
wait_for_health redis
wait_for_health gateway
find_gateway
expect_usage "$one_second"
token=$(token --sub carol --plan poor)
expect 429 '"insufficient_quota"' -F file=@"$work/silence.wav" -F model=gpt-transcribe
say "what a request cost while Redis was away outlives the container, and so do budgets"

started=$SECONDS
"${compose[@]}" stop -t 40 gateway >/dev/null 2>&1
code=$(docker inspect -f '{{.State.ExitCode}}' "$gateway")
[ "$code" = 0 ] || fail "the gateway stopped with $code"
[ $((SECONDS - started)) -lt 30 ] || fail "the gateway took $((SECONDS - started)) s to stop with nothing to do"
say "stopped in order"

say "the profile local, without a key of anybody's"
take_down
docker build --network=host -t "$speech_image" -f tests/containers/speech.Dockerfile tests/containers \
  >"$work/build.log" 2>&1 || { tail -40 "$work/build.log" >&2; fail "the stand-in cannot be built"; }
rm "$secrets/openai_api_key" "$secrets/provider_secret" "$secrets/operator_token"
cat deploy/compose/local.env - >"$work/local.env" <<END
VOXGATE_JWT_SECRET_FILE=$secrets/jwt_secret
SPEECH_IMAGE=$speech_image
END
compose=("${engine[@]}" --env-file "$work/local.env" -p "$project" -f docker-compose.yml -f tests/containers/local.yml)
"${compose[@]}" --profile local up -d --no-build >"$work/up.log" 2>&1 ||
  { cat "$work/up.log" >&2; fail "compose cannot start the profile local"; }
wait_for_health speech
wait_for_health gateway
find_gateway
token=$(token --sub alice)
wait_for_model() {
  local model=$(container speech-model)
  [ -n "$model" ] || model=$("${compose[@]}" ps -aq speech-model)
  local deadline=$((SECONDS + 60))
  until [ "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$model")" = "exited 0" ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "the model was not fetched"
    sleep 1
  done
  docker logs "$model" 2>&1 | grep -q "$1" || fail "no $1 in: $(docker logs "$model" 2>&1)"
}
wait_for_model 'downloaded'
expect 200 'Systran/faster-whisper-small heard it' -F file=@"$work/silence.wav"
grep -qi '^x-voxgate-provider: speaches' "$work/headers" || fail "another provider: $(cat "$work/headers")"
expect 200 'data: \[DONE\]' -F file=@"$work/long.wav" -F model=faster-whisper -F stream=true
expect 404 'model_not_found' -F file=@"$work/silence.wav" -F model=gpt-transcribe
"${compose[@]}" exec -T gateway voxgate check >"$work/check.log" 2>&1 || fail "the check fails: $(cat "$work/check.log")"
grep -q '^provider speaches .*answers' "$work/check.log" || fail "the check does not ask: $(cat "$work/check.log")"
say "audio goes through"

speech_user=$(docker top "$(container speech)" -o pid,uid | awk 'NR == 2 { print $2 }')
[ "$speech_user" = 1000 ] || fail "the speech server runs as uid $speech_user"
"${compose[@]}" port speech 8000 2>/dev/null | grep -q : && fail "the speech server is published"
for service in redis gateway; do
  docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' "$(container $service)"
done >"$work/networks"
sed -n 1p "$work/networks" | grep -q _speech && fail "Redis and the speech server share a network"
sed -n 2p "$work/networks" | grep -q _speech || fail "the gateway and the speech server share no network"
"${compose[@]}" rm -sf speech speech-model >"$work/rm.log" 2>&1 || fail "the speech server cannot be removed"
"${compose[@]}" up -d --no-build >"$work/up.log" 2>&1 || { cat "$work/up.log" >&2; fail "compose cannot start again"; }
wait_for_health speech
wait_for_model 'already exists'
expect 200 'heard it' -F file=@"$work/silence.wav"
say "the speech server is nobody's but the gateway's, and its model outlives its container"

if [ -n "${VOXGATE_IMAGE:-}" ]; then
  say "passed, without the README's commands"
  exit 0
fi
say "the README's commands, as they stand there"
take_down
# Every block of shell in a chapter, each in a folder and a project of its own.
pasted() { awk -v chapter="$1" -v wanted="$2" '
  /^## / { within = ($0 == chapter) }
  within && /^```/ { fence = !fence; if (fence && /^```sh/) { block++; taken = (block == wanted) } else taken = 0; next }
  taken' README.md; }
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
paste() {
  local folder=$work/newcomer$1 commands
  commands=$(pasted '## Docker' "$1")
  [ -n "$commands" ] || fail "the README has no block $1 about containers"
  mkdir "$folder"
  git ls-files -z | xargs -0 cp --parents -t "$folder"
  (
    cd "$folder"
    export COMPOSE_PROJECT_NAME=$project-newcomer$1 VOXGATE_VERSION=$project VOXGATE_PUBLISH=127.0.0.1:$port
    export SPEECH_IMAGE=$speech_image OPENAI_API_KEY=sk-of-a-newcomer DOCKER_BUILDKIT=0
    trap '"${engine[@]}" --profile local down -v --remove-orphans >"$work/down.log" 2>&1' EXIT
    timeout 300 bash -euo pipefail -c "${commands//127.0.0.1:8080/127.0.0.1:$port}"
  ) >"$work/pasted.log" 2>&1 || { tail -40 "$work/pasted.log" >&2; fail "block $1 does not run"; }
}
paste 1
grep -q '^eyJ' "$work/pasted.log" || fail "no token: $(tail -5 "$work/pasted.log")"
paste 2
grep -q 'heard it' "$work/pasted.log" || fail "no transcript: $(tail -5 "$work/pasted.log")"
[ -z "$(pasted '## Docker' 3)" ] || fail "nobody runs the third block about containers"
say "passed"
