"""The fields of JSON logs as clouds, gateways and frameworks document them."""

import json
from typing import Any

import pytest
from rows import as_json

from tailrace import _core

Row = dict[str, Any]

APP_GATEWAY_V2: Row = {
    "timeStamp": "2021-10-14T22:17:11+00:00",
    "listenerName": "HTTP-Listener",
    "operationName": "ApplicationGatewayAccess",
    "category": "ApplicationGatewayAccessLog",
    "properties": {
        "instanceId": "appgw_2",
        "clientIP": "185.42.129.24",
        "clientPort": 45057,
        "httpMethod": "GET",
        "originalRequestUriWithArgs": "/",
        "requestUri": "/",
        "requestQuery": "",
        "userAgent": "Mozilla/5.0 (Windows NT 6.1; WOW64)",
        "httpStatus": 200,
        "httpVersion": "HTTP/1.1",
        "receivedBytes": 184,
        "sentBytes": 466,
        "clientResponseTime": 0,
        "timeTaken": 0.034,
        "WAFEvaluationTime": "0.000",
        "serverRouted": "52.239.221.65:443",
        "serverStatus": "200",
        "serverResponseLatency": "0.028",
        "originalHost": "20.110.30.194",
        "host": "20.110.30.194",
    },
}
CLOUDFLARE: Row = {
    "ClientIP": "10.0.0.1",
    "ClientRequestHost": "host.domain.test",
    "ClientRequestMethod": "GET",
    "ClientRequestURI": "/cdn-cgi/images/cf-icon-cloud.png",
    "EdgeEndTimestamp": "2020-10-13T19:49:36Z",
    "EdgeResponseBytes": 1895,
    "EdgeResponseStatus": 200,
    "EdgeStartTimestamp": "2020-10-13T19:49:36Z",
    "RayID": "5e1b95b9ea390cc5",
    "CacheResponseStatus": 0,
    "ClientRequestBytes": 1049,
    "ClientRequestPath": "/cdn-cgi/images/cf-icon-cloud.png",
    "ClientRequestProtocol": "HTTP/1.1",
    "ClientRequestReferer": "http://host.domain.test/cdn-cgi/styles/main.css",
    "ClientRequestUserAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)",
}
LOGSTASH: Row = {
    "request": "/presentations/logstash-monitorama-2013/images/frontend-response-codes.png",
    "agent": '"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1)"',
    "auth": "-",
    "ident": "-",
    "verb": "GET",
    "referrer": '"http://semicomplete.com/presentations/logstash-monitorama-2013/"',
    "@timestamp": "2016-05-27T23:45:50.828Z",
    "response": "200",
    "bytes": "52878",
    "clientip": "83.149.9.216",
    "@version": "1",
    "host": "myexamplehost",
    "httpversion": "1.1",
    "timestamp": "04/Jan/2015:05:13:45 +0000",
}
CLOUD_RUN: Row = {
    "insertId": "6951d2870005ef93ee656b6e",
    "httpRequest": {
        "requestMethod": "POST",
        "requestUrl": "https://example.a.run.app/book",
        "requestSize": "754",
        "status": 502,
        "responseSize": "314",
        "userAgent": "Google-Cloud-Scheduler",
        "remoteIp": "35.187.142.68",
        "serverIp": "34.143.74.2",
        "latency": "60.369159188s",
        "protocol": "HTTP/1.1",
    },
    "resource": {"type": "cloud_run_revision"},
    "timestamp": "2025-12-29T00:58:51.018142Z",
    "severity": "ERROR",
    "receiveTimestamp": "2025-12-29T00:59:51.392307785Z",
}
PINO: Row = {
    "level": 30,
    "time": 1459443201087,
    "pid": 46316,
    "hostname": "MBP-di-Matteo",
    "req": {
        "id": 1,
        "method": "GET",
        "url": "/",
        "headers": {"host": "localhost:3000", "user-agent": "curl/7.43.0", "accept": "*/*"},
        "remoteAddress": "::1",
        "remotePort": 64386,
    },
    "res": {"statusCode": 200, "header": "HTTP/1.1 200 OK\r\nX-Powered-By: restify\r\n"},
    "responseTime": 10,
    "msg": "request completed",
}
KONG: Row = {
    "latencies": {"request": 2, "kong": 0, "proxy": 2},
    "service": {"host": "172.16.153.41", "protocol": "http", "port": 8080},
    "request": {
        "querystring": {},
        "size": "109",
        "uri": "/static/ad8559c0/images/top-sticker-bottom-edge.png",
        "url": "https://example.com:8443/static/ad8559c0/images/top-sticker-bottom-edge.png",
        "headers": {"host": "example.com", "user-agent": "Mozilla/5.0"},
        "method": "GET",
    },
    "client_ip": "172.16.0.9",
    "response": {"headers": {}, "status": 200, "size": "434"},
    "started_at": 1433209822425,
}
MORGAN_ECS: Row = {
    "@timestamp": "2023-10-16T22:00:33.782Z",
    "log.level": "info",
    "message": '::ffff:127.0.0.1 - - [16/Oct/2023:22:00:33 +0000] "GET / HTTP/1.1" 200 13',
    "http": {
        "version": "1.1",
        "request": {"method": "GET", "headers": {"host": "localhost:3000"}},
        "response": {"status_code": 200, "headers": {}, "body": {"bytes": 13}},
    },
    "url": {"path": "/", "domain": "localhost", "full": "http://localhost:3000/"},
    "client": {"address": "::ffff:127.0.0.1", "ip": "::ffff:127.0.0.1", "port": 65265},
    "user_agent": {"original": "curl/8.1.2"},
}

# A name with the source of the line, the line, and fields that it has. Long values and keys that
# are not read are shortened.
SAMPLES: list[tuple[str, Row, Row]] = [
    (
        # ibm.com/docs/en/qsip/7.6.0?topic=logs-cloudflare-sample-event-messages
        "Cloudflare Logpush",
        CLOUDFLARE,
        {
            "host": "10.0.0.1",
            "time": "2020-10-13T19:49:36Z",
            "method": "GET",
            "url": "/cdn-cgi/images/cf-icon-cloud.png",
            "protocol": "HTTP/1.1",
            "status": 200,
            "bytes_in": 1049,
            "bytes_out": 1895,
            "referer": "http://host.domain.test/cdn-cgi/styles/main.css",
            "agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)",
            "vhost": "host.domain.test",
            "request_id": "5e1b95b9ea390cc5",
            "request_time": None,
        },
    ),
    (
        # elastic/integrations, packages/cloudflare_logpush/…/test-pipeline-http-request.log
        "Cloudflare Logpush with nanoseconds",
        CLOUDFLARE
        | {"EdgeStartTimestamp": "1653485126000000000", "OriginResponseTime": 5232000000}
        | {"EdgeResponseBodyBytes": 980397, "OriginIP": "67.43.156.0", "OriginResponseStatus": 200},
        {
            "time": "2022-05-25T13:25:26Z",
            "upstream_time": 5.232,
            "upstream": "67.43.156.0",
            "upstream_status": "200",
            "size": 980397,
        },
    ),
    (
        "Cloudflare Logpush with seconds and milliseconds: the same file",
        CLOUDFLARE | {"EdgeStartTimestamp": 1653485126, "OriginResponseDurationMs": 5319},
        {"time": "2022-05-25T13:25:26Z", "upstream_time": 5.319},
    ),
    (
        # learn.microsoft.com/azure/application-gateway/application-gateway-diagnostics
        "Azure Application Gateway v2",
        APP_GATEWAY_V2,
        {
            "host": "185.42.129.24",
            "time": "2021-10-14T22:17:11Z",
            "method": "GET",
            "url": "/",
            "protocol": "HTTP/1.1",
            "status": 200,
            "bytes_in": 184,
            "bytes_out": 466,
            "agent": "Mozilla/5.0 (Windows NT 6.1; WOW64)",
            "vhost": "20.110.30.194",
            "request_time": 0.034,
            "upstream_time": 0.028,
            "upstream": "52.239.221.65:443",
            "upstream_status": "200",
        },
    ),
    (
        "Azure Application Gateway v2 after a whole second: made up",
        APP_GATEWAY_V2 | {"properties": {"timeTaken": 2}},
        {"request_time": 2.0},
    ),
    (
        "Azure Application Gateway v1: the same page",
        {
            "operationName": "ApplicationGatewayAccess",
            "time": "2017-04-26T19:27:38Z",
            "category": "ApplicationGatewayAccessLog",
            "properties": {
                "clientIP": "191.96.249.97",
                "httpMethod": "GET",
                "requestUri": "/phpmyadmin/scripts/setup.php",
                "requestQuery": "X-AzureApplicationGateway-CACHE-HIT=0&SERVER-STATUS=404",
                "userAgent": "-",
                "httpStatus": 404,
                "httpVersion": "HTTP/1.0",
                "receivedBytes": 65,
                "sentBytes": 553,
                "timeTaken": 205,
                "host": "www.contoso.com",
                "originalHost": "www.contoso.com",
            },
        },
        {
            "host": "191.96.249.97",
            "time": "2017-04-26T19:27:38Z",
            "url": "/phpmyadmin/scripts/setup.php",
            "status": 404,
            "agent": None,
            "vhost": "www.contoso.com",
            "request_time": 0.205,
        },
    ),
    (
        "Azure Front Door: elastic/integrations, packages/azure_frontdoor/…/test-fdaccess.log",
        {
            "category": "FrontdoorAccessLog",
            "properties": {
                "backendHostname": "samplev6erp.azurewebsites.net:443",
                "clientIp": "89.160.20.128",
                "clientPort": "50382",
                "httpMethod": "POST",
                "httpStatusCode": "200",
                "httpVersion": "2.0.0.0",
                "requestBytes": "2545",
                "requestProtocol": "HTTPS",
                "requestUri": "https://erp.testcloud.com:443/StockSetup/GetStockListByCir",
                "responseBytes": "1205",
                "timeTaken": "0.384",
                "trackingReference": "0k1y5YQ",
                "userAgent": "Mozilla/5.0",
            },
            "time": "2021-12-15T03:10:11.6479719Z",
        },
        {
            "host": "89.160.20.128",
            "time": "2021-12-15T03:10:11.647971Z",
            "method": "POST",
            "url": "https://erp.testcloud.com:443/StockSetup/GetStockListByCir",
            "path": "/StockSetup/GetStockListByCir",
            "protocol": "HTTP/2.0",
            "status": 200,
            "bytes_in": 2545,
            "bytes_out": 1205,
            "request_time": 0.384,
            "request_id": "0k1y5YQ",
        },
    ),
    (
        # The second half is from techdocs.akamai.com/datastream2/docs/data-set-parameters.
        "Akamai DataStream 2: docs.hydrolix.io/docs/akamai-logs-via-datastream",
        {
            "version": 1,
            "reqId": "1239f220",
            "reqTimeSec": "1573840000",
            "country": "US",
            "transferTimeMSec": "125",
            "turnAroundTimeMSec": "11",
            "xForwardedFor": "1.2.3.4",
            "reqPort": "443",
            "reqPath": "/path1/path2/file.ext",
            "queryStr": "param=value",
            "reqMethod": "GET",
            "reqHost": "test.hostname.net",
            "proto": "HTTPS",
            "statusCode": "206",
            "cliIP": "128.147.28.68",
            "bytes": "4995",
            "UA": "Mozilla%2F5.0+%28Macintosh%3B+Intel+Mac+OS+X+10_14_3%29",
        },
        {
            "host": "128.147.28.68",
            "time": "2019-11-15T17:46:40Z",
            "method": "GET",
            "url": "/path1/path2/file.ext?param=value",
            "path": "/path1/path2/file.ext",
            "query": "param=value",
            "protocol": None,
            "status": 206,
            "size": 4995,
            "agent": "Mozilla%2F5.0+%28Macintosh%3B+Intel+Mac+OS+X+10_14_3%29",
            "vhost": "test.hostname.net",
            "port": 443,
            "xff": "1.2.3.4",
            "request_id": "1239f220",
            "request_time": None,
        },
    ),
    (
        # The names are documented; the values are made up.
        "Fastly: betterstack.com/docs/logs/fastly",
        {
            "timestamp": "2025-01-02T03:04:05+0000",
            "client_ip": "192.0.2.1",
            "host": "www.example.com",
            "url": "/a?b=1",
            "request_method": "GET",
            "request_protocol": "HTTP/1.1",
            "request_referer": "",
            "request_user_agent": "curl/8.5.0",
            "response_state": "HIT",
            "response_status": 200,
            "response_body_size": 512,
        },
        {
            "host": "192.0.2.1",
            "time": "2025-01-02T03:04:05Z",
            "method": "GET",
            "url": "/a?b=1",
            "protocol": "HTTP/1.1",
            "status": 200,
            "size": 512,
            "referer": None,
            "agent": "curl/8.5.0",
            "vhost": "www.example.com",
        },
    ),
    (
        # github.com/SumoLogic/sumologic-documentation/pull/4877; the values are made up.
        "Fastly's older names, in which a request is its method",
        {
            "time_start": "2025-01-02T03:04:05Z",
            "time_elapsed": 1204,
            "client_ip": "192.0.2.1",
            "request": "GET",
            "protocol": "HTTP/1.1",
            "url": "/a",
        },
        {
            "time": "2025-01-02T03:04:05Z",
            "method": "GET",
            "url": "/a",
            "protocol": "HTTP/1.1",
            # Its name does not show its unit, which is a microsecond.
            "request_time": None,
            "time_elapsed": 1204,
        },
    ),
    (
        "pino-http: npmjs.com/package/pino-http",
        PINO,
        {
            "host": "::1",
            "time": "2016-03-31T16:53:21.087Z",
            "method": "GET",
            "url": "/",
            "status": 200,
            "agent": "curl/7.43.0",
            "vhost": "localhost:3000",
            "request_time": 0.01,
            "request_id": "1",
        },
    ),
    (
        "log-http for pino: npmjs.com/package/log-http",
        {
            "pid": 42140,
            "level": 30,
            "time": 1492003344170,
            "url": "/",
            "method": "GET",
            "statusCode": 200,
            "message": "response",
            "elapsed": 4,
            "contentLength": 119,
        },
        {
            "time": "2017-04-12T13:22:24.17Z",
            "url": "/",
            "status": 200,
            # Its name does not show its unit.
            "request_time": None,
            "elapsed": 4,
        },
    ),
    (
        # The keys are those of the project's code; the values are made up.
        "express-winston: npmjs.com/package/express-winston",
        {
            "level": "info",
            "message": "HTTP GET /a",
            "meta": {
                "req": {"url": "/a", "method": "GET", "httpVersion": "1.1", "headers": {}},
                "res": {"statusCode": 304},
                "responseTime": 9,
            },
        },
        {
            "method": "GET",
            "url": "/a",
            "protocol": "HTTP/1.1",
            "status": 304,
            "request_time": 0.009,
        },
    ),
    (
        "Elastic's format for morgan: npmjs.com/package/@elastic/ecs-morgan-format",
        MORGAN_ECS,
        {
            "host": "::ffff:127.0.0.1",
            "time": "2023-10-16T22:00:33.782Z",
            "method": "GET",
            "url": "http://localhost:3000/",
            "path": "/",
            "protocol": "HTTP/1.1",
            "status": 200,
            "size": 13,
            "agent": "curl/8.1.2",
        },
    ),
    (
        "the duration of an ECS event: elastic.co/guide/en/ecs/current/ecs-event.html",
        MORGAN_ECS | {"event": {"duration": 12000000}},
        {"request_time": 0.012},
    ),
    (
        "Logstash's old names: elastic/logstash, docs/static/advanced-pipeline.asciidoc",
        LOGSTASH,
        {
            "host": "83.149.9.216",
            "user": None,
            "time": "2015-01-04T05:13:45Z",
            "method": "GET",
            "url": "/presentations/logstash-monitorama-2013/images/frontend-response-codes.png",
            "protocol": "HTTP/1.1",
            "request_flag": None,
            "status": 200,
            "size": 52878,
            "referer": "http://semicomplete.com/presentations/logstash-monitorama-2013/",
            "agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1)",
        },
    ),
    (
        "Logstash without a referer: the same page",
        LOGSTASH | {"referrer": '"-"', "agent": '"Tiny Tiny RSS/1.11 (http://tt-rss.org/)"'},
        {"referer": None, "agent": "Tiny Tiny RSS/1.11 (http://tt-rss.org/)"},
    ),
    (
        "Logstash with a CONNECT: made up",
        LOGSTASH | {"verb": "CONNECT", "request": "example.com:443"},
        {"method": "CONNECT", "url": "example.com:443", "request_flag": None},
    ),
    (
        "a request line beside its method: gist.github.com/neduma/3a5a77059df52b14f1801a18a5040fa8",
        {
            "@timestamp": "2014-09-22T23:38:46+00:00",
            "remote_addr": "192.0.2.1",
            "request_time": "0.010",
            "status": "200",
            "request": "POST /a HTTP/1.1",
            "request_method": "POST",
        },
        {"method": "POST", "url": "/a", "protocol": "HTTP/1.1", "request_time": 0.01},
    ),
    (
        "Google Cloud Run: prashanth0686/amilia, index.js; the host is made up",
        CLOUD_RUN,
        {
            "host": "35.187.142.68",
            "time": "2025-12-29T00:58:51.018142Z",
            "method": "POST",
            "url": "https://example.a.run.app/book",
            "path": "/book",
            "protocol": "HTTP/1.1",
            "status": 502,
            "size": 314,
            "bytes_in": 754,
            "agent": "Google-Cloud-Scheduler",
            "request_time": 60.369159188,
        },
    ),
    (
        # elastic/integrations, packages/gcp/…/test-load-balancer.log
        "Google Cloud Load Balancing, with a port",
        CLOUD_RUN | {"httpRequest": {"remoteIp": "89.160.20.156:9989", "latency": "0.012s"}},
        {"host": "89.160.20.156", "request_time": 0.012},
    ),
    (
        "AWS WAF: docs.aws.amazon.com/waf/latest/developerguide/logging-examples.html",
        {
            "timestamp": 1683355579981,
            "formatVersion": 1,
            "terminatingRuleId": "RateBasedRule",
            "action": "BLOCK",
            "httpRequest": {
                "clientIp": "52.46.82.45",
                "country": "FR",
                "headers": [{"name": "X-Forwarded-Proto", "value": "https"}],
                "uri": "/CanaryTest",
                "args": "",
                "httpVersion": "HTTP/1.1",
                "httpMethod": "GET",
                "requestId": "Ed0AiHF_CGYF-DA=",
            },
        },
        {
            "host": "52.46.82.45",
            "time": "2023-05-06T06:46:19.981Z",
            "method": "GET",
            "url": "/CanaryTest",
            "protocol": "HTTP/1.1",
            "status": None,
            "request_id": "Ed0AiHF_CGYF-DA=",
            "action": "BLOCK",
        },
    ),
    (
        "AWS API Gateway: gist.github.com/wolfeidau/78781d79ba6a481e9cd53d8f12a9d70c",
        {
            "requestTime": "23/Nov/2021:05:13:56 +0000",
            "requestId": "JQQl8hJ",
            "httpMethod": "GET",
            "path": "/latency_data",
            "resourcePath": "/{proxy+}",
            "status": 200,
            "responseLatency": 205,
            "ip": "192.0.2.1",
            "userAgent": "curl/8",
            "integrationLatency": "203",
        },
        {
            "host": "192.0.2.1",
            "time": "2021-11-23T05:13:56Z",
            "method": "GET",
            "url": "/latency_data",
            "status": 200,
            "request_time": 0.205,
            "upstream_time": 0.203,
        },
    ),
    (
        # The unit of a Go duration is part of its text; the other values are made up.
        "Echo: echo.labstack.com/docs/middleware/logger",
        {
            "time": "2017-01-12T08:58:07.372015644-08:00",
            "remote_ip": "::1",
            "host": "localhost:1323",
            "method": "GET",
            "uri": "/",
            "status": 200,
            "latency": 14743,
            "latency_human": "14.743µs",
            "bytes_in": 0,
            "bytes_out": 2,
        },
        {"host": "::1", "url": "/", "request_time": 0.000014743, "latency": 14743},
    ),
    (
        "Kong: Animezjy's notes on Prometheus and developer.konghq.com/plugins/file-log",
        KONG,
        {
            "host": "172.16.0.9",
            "time": "2015-06-02T01:50:22.425Z",
            "method": "GET",
            "url": "/static/ad8559c0/images/top-sticker-bottom-edge.png",
            "status": 200,
            "size": 434,
            "bytes_in": 109,
            "agent": "Mozilla/5.0",
            "vhost": "example.com",
            "request_time": 0.002,
            "upstream_time": 0.002,
        },
    ),
    (
        # docs.wpvip.com/logs/http-request-edge
        "WordPress VIP",
        {
            "request_url": "/",
            "timestamp": "19/May/2020:17:03:58 +0000",
            "remote_addr": "127.0.0.1",
            "request_time": "0.001",
            "http_host": "example.com",
            "http_version": "HTTP/2.0",
            "body_bytes_sent": "8981",
            "status": "200",
        },
        {
            "host": "127.0.0.1",
            "time": "2020-05-19T17:03:58Z",
            "url": "/",
            "protocol": "HTTP/2.0",
            "status": 200,
            "size": 8981,
            "request_time": 0.001,
        },
    ),
]


@pytest.mark.parametrize(
    ("line", "fields"), [row[1:] for row in SAMPLES], ids=[row[0] for row in SAMPLES]
)
def test_a_documented_line_has_its_fields(line: Row, fields: Row) -> None:
    text = json.dumps(line, ensure_ascii=False).encode()
    assert as_json(_core.parse(text, format="json", fields=list(fields)).to_dicts()) == [fields]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ('"0.012s"', 0.012),
        ('"12ms"', 0.012),
        ('"1.5 ms"', 0.0015),
        ('"1m2.5s"', 62.5),
        ("12", None),
        ("0.012", None),
        ('"12"', None),
        ("null", None),
    ],
)
@pytest.mark.parametrize("key", ["duration", "latency", "elapsed", "response_time"])
def test_a_duration_counts_only_if_its_unit_is_known(
    key: str, value: str, seconds: float | None
) -> None:
    line = f'{{"status":200,"{key}":{value}}}'.encode()
    (row,) = as_json(_core.parse(line, format="json", fields=["request_time"]).to_dicts())
    assert row == {"request_time": seconds}


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        ('"GET /a?b=1 HTTP/1.1"', ("GET", "/a?b=1", "HTTP/1.1", None)),
        ('"/a?b=1"', (None, "/a?b=1", None, None)),
        ('"http://example.com/a"', (None, "http://example.com/a", None, None)),
        ('"\\u0016\\u0003"', (None, None, None, "garbage")),
        ('""', (None, None, None, "empty")),
        ('{"uri":"/a","method":"GET","proto":"HTTP/2.0"}', ("GET", "/a", "HTTP/2.0", None)),
    ],
)
def test_a_request_is_a_line_a_target_or_an_object(request_: str, fields: tuple[Any, ...]) -> None:
    names = ["method", "url", "protocol", "request_flag"]
    line = f'{{"status":200,"request":{request_}}}'.encode()
    assert as_json(_core.parse(line, format="json", fields=names).to_dicts()) == [
        dict(zip(names, fields, strict=True))
    ]
