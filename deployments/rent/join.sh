#!/usr/bin/env bash
# Lets a rented machine work for a graph, and gives the machine back when nothing is left to do:
#
#   VOLTX_SERVER=http://10.0.0.1:4200 VOLTX_STORE=s3://bucket/prefix \
#   PREFECT_API_AUTH_STRING=voltx:... AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... \
#   VOLTX_DESTROY='vastai destroy instance 123456' \
#     deployments/rent/join.sh gpu
#
# Installs voltx, checks the machine against the criteria of the pool, joins it, and ends on SIGTERM,
# when its terminal hangs up (unless under nohup), or after VOLTX_IDLE_MINUTES (20) without work;
# stages at work save first. However it ends, it gives the machine back by give_back.sh.
# VOLTX_DESTROY=autodown leaves that to SkyPilot.
# VOLTX_DRY_RUN=1 says what would be done, and does nothing.
set -euo pipefail

pool=${1:?"which pool? cpu, gpu or multi-gpu"}
: "${VOLTX_SERVER:?the address that voltx up --role server said}"
: "${VOLTX_STORE:?the store that all machines share, s3://bucket/prefix}"
: "${PREFECT_API_AUTH_STRING:?the password of the server, as on its machine}"
: "${VOLTX_DESTROY:?the command that destroys this machine, or autodown: it would be paid for ever}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
voltx=${VOLTX_BIN:-$root/.venv/bin}/voltx
worker=

# Needed only at the end, when it would be too late to find out. By a shell, as it will be carried out.
destroys=$VOLTX_DESTROY
while [[ $destroys =~ ^[A-Za-z_]+=[^[:space:]]*[[:space:]]+(.*) ]]; do # variables before it
  destroys=${BASH_REMATCH[1]}
done
destroys=${destroys%%[[:space:]]*}
if [[ $VOLTX_DESTROY != autodown ]] && ! bash -c "command -v $destroys" >/dev/null 2>&1; then
  echo "VOLTX_DESTROY begins with $destroys, which is no command on this machine: it could not be" \
    "given back and would be paid for ever. Install it, then try again." >&2
  exit 69
fi

run() {
  if [[ -n ${VOLTX_DRY_RUN:-} ]]; then
    printf 'would run: %s\n' "$*"
  else
    "$@"
  fi
}

# shellcheck disable=SC2329  # by a trap
leave() {
  local code=$?
  trap - EXIT
  trap '' TERM INT HUP
  if [[ $VOLTX_DESTROY != autodown ]]; then
    run "$here/give_back.sh" || code=$?
  fi
  exit "$code"
}

# shellcheck disable=SC2329  # by a trap
pass_on() {
  if [[ -n $worker ]]; then
    kill -TERM "$worker" 2>/dev/null || true
  else
    exit 143
  fi
}

trap leave EXIT
trap pass_on TERM INT HUP

cd "$root"
if [[ -z ${VOLTX_BIN:-} ]]; then
  run make setup
fi
run "$voltx" doctor --pool "$pool"
work=("$voltx" worker --pool "$pool" --server "$VOLTX_SERVER" --stay
  --idle-minutes "${VOLTX_IDLE_MINUTES:-20}")
if [[ -n ${VOLTX_DRY_RUN:-} ]]; then
  run "${work[@]}"
  exit 0
fi
"${work[@]}" & # itself and not in a shell of its own, so that a signal reaches it
worker=$!
code=0
wait "$worker" || code=$?
# A signal ends the first wait early: the worker is still saving.
while kill -0 "$worker" 2>/dev/null; do
  code=0
  wait "$worker" || code=$?
done
exit "$code"
