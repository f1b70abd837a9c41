#!/usr/bin/env bash
# Make a certificate authority and one certificate for scheduler, workers and client:
#   certificates.sh FOLDER
# Whoever has the key can run code on the workers: give FOLDER to nobody else.
set -euo pipefail
folder=${1:?which folder to write to}
umask 077
mkdir -p "$folder"
cd "$folder"
openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj "/CN=backprop-grader authority" \
    -keyout authority-key.pem -out authority.pem
openssl req -newkey rsa:3072 -nodes -subj "/CN=backprop-grader" -keyout key.pem -out request.pem
openssl x509 -req -days 365 -in request.pem -CA authority.pem -CAkey authority-key.pem -CAcreateserial -out cert.pem
rm -f request.pem authority.srl
