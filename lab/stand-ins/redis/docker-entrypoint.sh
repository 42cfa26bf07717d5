#!/bin/sh
# Start Redis as its user; options alone, or a file of settings, mean redis-server.
set -eu
case "${1:-}" in
    -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
    umask 0077
    # Outside of a container Redis would not listen for others without a password.
    set -- "$@" --protected-mode "${REDIS_PROTECTED_MODE:-no}"
fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=redis --regid=redis --init-groups -- "$@"
fi
exec "$@"
