#!/bin/sh
# Restore a backup into the folder of a stopped Redis: redis-restore.sh backup.rdb /var/lib/redis
# With appendonly yes, Redis reads its append-only file only. So this makes one of the backup, and keeps the old one.
set -eu
folder=$2
redis() { redis-cli -s "$folder/restore.sock" "$@"; }
# Ends the script if the server has ended, such as for a damaged backup.
pause() { sleep 1; kill -0 "$server" || { cat "$folder/restore.log"; exit 1; }; }

mkdir "$folder/before-restore"
for file in "$folder"/appendonly*; do
    [ ! -e "$file" ] || mv "$file" "$folder/before-restore"
done
cp "$1" "$folder/restore.rdb"
redis-server --dir "$folder" --dbfilename restore.rdb --save "" --appendonly no \
    --port 0 --unixsocket "$folder/restore.sock" >"$folder/restore.log" &
server=$!
until [ "$(redis ping 2>&1)" = PONG ]; do pause; done
redis config set appendonly yes
until redis info persistence | grep -q aof_rewrite_in_progress:0; do pause; done
redis info persistence | grep aof_last_bgrewrite_status:ok
redis info keyspace
redis shutdown
wait "$server"
rm "$folder/restore.rdb" "$folder/restore.log"
