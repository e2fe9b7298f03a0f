#!/usr/bin/env bash
# Destroys a rented machine and makes sure that it is gone:
#
#   VOLTX_DESTROY='vastai destroy instance 123456' \
#   VOLTX_IS_GONE='! vastai show instances --raw | grep -q "\"id\": 123456"' \
#     deployments/rent/give_back.sh
#
# VOLTX_IS_GONE succeeds when the machine does not exist any more. Without it, the script is taken to
# run on that very machine: then being still alive a while after the command means that it is not gone.
# Tries VOLTX_TRIES (5) times, VOLTX_WAIT_S (60) seconds each. A machine that stays is a machine that is
# paid for: that is said on stderr, to every terminal, and to VOLTX_NOTIFY where it is an address.
set -uo pipefail

: "${VOLTX_DESTROY:?the command that destroys the machine}"
tries=${VOLTX_TRIES:-5} wait_s=${VOLTX_WAIT_S:-60}

is_gone() {
  [[ -n ${VOLTX_IS_GONE:-} ]] && bash -c "$VOLTX_IS_GONE"
}

for ((try = 1; try <= tries; try++)); do
  echo "Giving the machine back, try $try of $tries: $VOLTX_DESTROY" >&2
  bash -c "$VOLTX_DESTROY" || echo "The command failed with code $?." >&2
  for ((waited = 0; waited < wait_s; waited++)); do
    if is_gone; then
      echo "The machine is gone." >&2
      exit 0
    fi
    sleep 1
  done
done

text="THE MACHINE $(hostname) IS STILL THERE AND IS BEING PAID FOR. $tries times this was tried: \
$VOLTX_DESTROY. Destroy it by hand, now."
printf '\a\n%s\n' "$text" >&2
printf '%s\n' "$text" | wall 2>/dev/null || true
if [[ ${VOLTX_NOTIFY:-} == http* ]]; then
  curl -fsS -m 20 -H 'content-type: application/json' -d "{\"text\": \"${text//\"/}\"}" \
    "$VOLTX_NOTIFY" || echo "VOLTX_NOTIFY could not be reached either." >&2
fi
exit 70
