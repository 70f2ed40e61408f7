#!/bin/sh
chown mongodb:mongodb /data/db /data/configdb
exec setpriv --reuid mongodb --regid mongodb --clear-groups "$@"
