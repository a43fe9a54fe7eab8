"""The configuration of an nginx that plays a load balancer and, behind it, an ingress controller."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from local_edge.kubernetes import IngressRule

_CONF = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; proxy_request_buffering off; proxy_buffering off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  # The load balancer: its rule forwards what carries the secret, its listener refuses the rest.
  map $http_x_origin_verify $admitted {{ default 0; "{secret}" 1; }}
  map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
  server {{
    listen 127.0.0.1:{port} reuseport; client_max_body_size 0;
    large_client_header_buffers 4 16k; # HTTP 400: more than 16K in a line
    location / {{
      if ($admitted = 0) {{ return 403 "not through CloudFront\\n"; }}
      proxy_pass http://127.0.0.1:{ingress_port}; proxy_http_version 1.1; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For {forwarded_for};
      proxy_set_header X-Forwarded-Port 443; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout {idle_seconds}s;
    }}
  }}
  # The ingress controller.
  {http_snippets}
  server {{
    listen 127.0.0.1:{ingress_port} default_server reuseport;
    {entries}
    return 404 "no ingress for this host\\n";
  }}
  {servers}
}}
"""
# What F5's controller makes of an Ingress, in little, and with the port and scheme of its pod: here there is no TLS
# between the two. https://github.com/nginx/kubernetes-ingress/blob/main/internal/configs/version1/nginx.ingress.tmpl
_SERVER = """
  server {{
    listen 127.0.0.1:{port}; server_name {host};
    {entries}
    location / {{
      {upgrade}
      {snippets}
      proxy_pass {upstream}; proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Port {pod_port};
      proxy_set_header X-Forwarded-Proto {scheme};
    }}
  }}
"""
_UPGRADE = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;"


def nginx_path() -> str | None:
    """Return where nginx is; Debian puts it where only root's PATH looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def nginx_conf(
    folder: Path,
    ports: tuple[int, int],
    secret: str,
    upstreams: Mapping[str, tuple[str, IngressRule]],
    entries: Mapping[str, str],
    attributes: Mapping[str, str],
) -> str:
    """Return a configuration.

    Args:
        folder: for its files.
        ports: of the load balancer and of the controller.
        secret: what the load balancer admits by.
        upstreams: host -> a service's URL and the rule that leads to it.
        entries: of the controller's ConfigMap.
        attributes: of the load balancer.
    """
    port, ingress_port = ports
    entries = dict(entries)
    snippets, http_snippets = (entries.pop(f"{name}-snippets", "") for name in ("location", "http"))
    if "set-real-ip-from" in entries:
        entries["set-real-ip-from"] = "127.0.0.1"  # where the load balancer is here
    # The others are called as nginx's own directives are, but for the dash.
    directives = " ".join(f"{name.replace('-', '_')} {value};" for name, value in entries.items())
    servers = (
        _SERVER.format(
            port=ingress_port,
            host=host,
            entries=directives,
            upstream=url,
            upgrade=_UPGRADE if rule.websocket else "",
            snippets=snippets,
            pod_port=443 if rule.tls else 80,
            scheme="https" if rule.tls else "http",
        )
        for host, (url, rule) in upstreams.items()
    )
    appends = attributes.get("routing.http.xff_header_processing.mode", "append") == "append"
    return _CONF.format(
        folder=folder,
        port=port,
        ingress_port=ingress_port,
        secret=secret,
        forwarded_for="$proxy_add_x_forwarded_for" if appends else "$http_x_forwarded_for",
        idle_seconds=attributes.get("idle_timeout.timeout_seconds", "60"),
        http_snippets=http_snippets,
        entries=directives,
        servers="".join(servers),
    )
