#!/usr/bin/env bash
# Destroys a rented machine and makes sure that it is gone:
#
#   VOLTX_DESTROY='vastai destroy instance 123456' \
#   VOLTX_IS_GONE='list=$(vastai show instances --raw) && [[ $list == "["* ]] &&
#     ! grep -q "\"id\": 123456\b" <<<"$list"' \
#     deployments/rent/give_back.sh
#
# VOLTX_IS_GONE succeeds when the machine does not exist any more, and only then: a list that could not
# be had does not say that. Without it, the script is taken to run on that very machine: then being
# still alive a while after the command means that it is not gone.
# Tries VOLTX_TRIES (5) times, VOLTX_WAIT_S (60) seconds each, whatever signals come. A machine that
# stays is a machine that is paid for: that is said on stderr, to every terminal, and to the addresses
# that VOLTX_NOTIFY lists. VOLTX_DESTROY may hold a key, and is neither shown nor sent.
set -uo pipefail
trap '' INT TERM HUP

: "${VOLTX_DESTROY:?the command that destroys the machine}"
if [[ -n ${VOLTX_DRY_RUN:-} ]]; then
  echo "would run: VOLTX_DESTROY, up to ${VOLTX_TRIES:-5} times"
  exit 0
fi
tries=${VOLTX_TRIES:-5} wait_s=${VOLTX_WAIT_S:-60}

is_gone() {
  [[ -n ${VOLTX_IS_GONE:-} ]] && bash -c "$VOLTX_IS_GONE"
}

for ((try = 1; try <= tries; try++)); do
  echo "Giving the machine back by VOLTX_DESTROY, try $try of $tries" >&2
  bash -c "$VOLTX_DESTROY" || echo "The command failed with code $?." >&2
  for ((waited = 0; waited < wait_s; waited++)); do
    if is_gone; then
      echo "The machine is gone." >&2
      exit 0
    fi
    sleep 1
  done
done

text="THE MACHINE $(hostname) IS STILL THERE AND IS BEING PAID FOR. VOLTX_DESTROY was tried $tries \
times. Destroy it by hand, now."
printf '\a\n%s\n' "$text" >&2
printf '%s\n' "$text" | wall 2>/dev/null || true
IFS=, read -ra places <<<"$(tr -d '[:space:]' <<<"${VOLTX_NOTIFY:-}")"
for place in "${places[@]}"; do
  if [[ $place != http* ]]; then
    echo "Only Prefect can tell $place, which is a block of its own: nobody was told there." >&2
  elif ! curl -fsS -m 20 -H 'content-type: application/json' \
    -d "{\"text\": \"${text//[\"\\]/}\"}" "$place" >/dev/null; then
    echo "An address of VOLTX_NOTIFY could not be reached either." >&2
  fi
done
exit 70
