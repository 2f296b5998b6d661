#!/usr/bin/env bash
# run.sh EXAMPLE [OPTION OF CONSUME…]: a broker in memory, the example's data, its application, and what
# that writes, until Ctrl-C, or as the options say (-n 20: until so many records). It needs kstream alone
# (KSTREAM=FILE says which), and leaves nothing behind but in EXAMPLE_DATA=FOLDER, if that is given.
set -euo pipefail
# Each command in a group of its own: Ctrl-C comes to this script alone, which ends them in their order.
set -m
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case ${1-} in
  ride-sharing) outputs=(zone-trips surge) ;;
  shop) outputs=(also-bought fraud-flags inventory abandoned-carts) ;;
  iot) outputs=(climate anomalies silences) ;;
  logs) outputs=(log-levels alerts) ;;
  market) outputs=(bars large-trades) ;;
  cdc-warehouse) outputs=(turnover order-changes) ;;
  *)
    echo "usage: $0 ride-sharing|shop|iot|logs|market|cdc-warehouse [OPTION OF CONSUME…]" >&2
    exit 2
    ;;
esac
example=$1
shift

kstream=${KSTREAM:-$(command -v kstream || echo "$here/../dist/kstream")}
if [[ ! -x $kstream ]]; then
  echo "$0: there is no $kstream: run make build, or say where it is with KSTREAM=FILE" >&2
  exit 2
fi

data=${EXAMPLE_DATA:-$(mktemp -d)}
mkdir -p "$data"
data=$(cd "$data" && pwd)
pids=()

finish() {
  trap '' INT TERM
  # The last one first: the application commits while there is a broker.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill "${pids[i]}" 2>/dev/null || true
    wait "${pids[i]}" 2>/dev/null || true
  done
  if [[ -d $data/warehouse ]]; then
    echo "in the warehouse: $(find "$data/warehouse" -name '*.parquet' | wc -l) files of Parquet" >&2
  fi
  [[ -n ${EXAMPLE_DATA-} ]] || rm -rf "$data"
}
trap finish EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND…: in the background; what it says goes to a file.
start() {
  local name=$1
  shift
  EXAMPLE_DATA=$data "$kstream" "$@" >"$data/$name.log" 2>&1 &
  pids+=($!)
}

# What has ended too early says why.
failed() {
  echo "$0: the $1 has ended:" >&2
  tail -n 20 "$data/$1.log" >&2
  exit 1
}

cd "$here/$example"
start broker serve --memory --listen 127.0.0.1:0 --ready-file "$data/ready"
until [[ -s $data/ready ]]; do
  kill -0 "${pids[0]}" 2>/dev/null || failed broker
  sleep 0.05
done
KSTREAM_BROKERS=$(grep -m 1 -E '^127\.0\.0\.1:[0-9]+$' "$data/ready")
export KSTREAM_BROKERS
"$kstream" topic apply -f topics.yaml --execute >"$data/topics.log" || failed topics
start connectors connect run data.yaml
start application stream run app.ts --set "state.dir=$data/state"
{
  echo "$example on $KSTREAM_BROKERS, to be seen at $(grep -m 1 '^http' "$data/ready" || echo "no page")"
  echo "application: $here/$example/app.ts; what it writes (${outputs[*]}):"
} >&2

"$kstream" consume "${outputs[@]}" --isolation read_committed -f '%t %k %s\n' "$@" &
consumer=$!
pids+=("$consumer")
wait -n "$consumer" "${pids[@]:0:3}" || true
kill -0 "${pids[2]}" 2>/dev/null || failed application
kill -0 "${pids[1]}" 2>/dev/null || failed connectors
kill -0 "${pids[0]}" 2>/dev/null || failed broker
wait "$consumer"
