#!/bin/sh
# The official image opens Redis to its network in the same way.
chown redis:redis /data
exec setpriv --reuid redis --regid redis --clear-groups "$@" --protected-mode no
