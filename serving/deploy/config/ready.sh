#!/bin/bash
# Checks whether a model can answer: ready.sh [MODEL] [REST PORT] [HOST]. TensorFlow Serving's image has bash, and no curl.
set -eu

exec 3<>"/dev/tcp/${3:-127.0.0.1}/${2:-8501}"
printf 'GET /v1/models/%s/metadata HTTP/1.0\r\nHost: localhost\r\n\r\n' "${1:-ner}" >&3
read -r protocol status _ <&3
[[ $protocol == HTTP/1.* && $status == 200 ]]
