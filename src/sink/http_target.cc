#include "sink/http_target.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "sink/compress.h"
#include "sink/http_check.h"

namespace logflume {
namespace {

constexpr Duration kConnectTimeoutMax = 10s;

struct CurlUrlFree {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
using CurlUrl = std::unique_ptr<CURLU, CurlUrlFree>;

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string result(text);
  ::curl_free(text);
  return result;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

long milliseconds(Duration duration) {
  constexpr Duration kMost = std::chrono::hours(24);
  return static_cast<long>(
      std::chrono::ceil<std::chrono::milliseconds>(std::clamp<Duration>(duration, 1ms, kMost)).count());
}

}  // namespace

std::string ascii_line(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, kAsciiLineBytesMax)) {
    const bool blank = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (blank && (result.empty() || result.back() == ' ')) continue;
    result += blank ? ' ' : c > ' ' && c < 0x7f ? c : '?';
  }
  while (!result.empty() && result.back() == ' ') result.pop_back();
  if (text.size() > kAsciiLineBytesMax) result += "...";
  return result;
}

Result<void> HttpTarget::open(const HttpSinkConfig& config) {
  if (const auto faults = http_faults(config); !faults.empty()) return first_error(faults);
  config_ = config;
  if (auto parsed = parse_uri(); !parsed) return parsed;
  if (auto checked = check_files(); !checked) return checked;
  return build_headers();
}

Result<void> HttpTarget::parse_uri() {
  const CurlUrl url(::curl_url());
  const CURLUcode code = ::curl_url_set(url.get(), CURLUPART_URL, config_.uri.c_str(), 0);
  if (code != CURLUE_OK) {
    return Error{Errc::kInvalidArgument, 0, "uri: not a URL: " + std::string(::curl_url_strerror(code))};
  }
  const std::string scheme = url_part(url.get(), CURLUPART_SCHEME);
  const std::string host = url_part(url.get(), CURLUPART_HOST);
  const std::string explicit_port = url_part(url.get(), CURLUPART_PORT);
  const std::string authority = explicit_port.empty() ? host : host + ":" + explicit_port;
  shown_uri_ = scheme + "://" + authority + url_part(url.get(), CURLUPART_PATH);

  const std::string& server_name = config_.tls.server_name;
  if (scheme == "https" && !server_name.empty() && server_name != host) {
    // The name that the certificate is checked against is the URL's; the connection goes to the real host.
    const std::string port = url_part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    ::curl_url_set(url.get(), CURLUPART_HOST, server_name.c_str(), 0);
    connect_to_ = server_name + ":" + port + ":" + host + ":" + port;
    host_header_ = "Host: " + authority;
  }
  url_ = url_part(url.get(), CURLUPART_URL);
  return {};
}

Result<void> HttpTarget::check_files() const {
  for (const std::string* file : {&config_.tls.ca_file, &config_.tls.cert_file, &config_.tls.key_file}) {
    if (!file->empty() && ::access(file->c_str(), R_OK) != 0) return errno_error("tls: open " + *file);
  }
  return {};
}

bool HttpTarget::has_header(std::string_view name) const {
  return std::any_of(config_.headers.begin(), config_.headers.end(),
                     [&](const auto& header) { return equal_ignoring_case(header.first, name); });
}

Result<void> HttpTarget::build_headers() {
  bool complete = true;
  const auto add = [&](const std::string& line) {
    curl_slist* longer = ::curl_slist_append(headers_.get(), line.c_str());
    complete = complete && longer != nullptr;
    if (longer != nullptr) {
      (void)headers_.release();
      headers_.reset(longer);
    }
  };
  if (!has_header("Content-Type")) {
    add(config_.body == HttpBody::kJsonArray     ? "Content-Type: application/json"
        : config_.encoding == Encoding::kJson    ? "Content-Type: application/x-ndjson"
        : config_.encoding == Encoding::kCsv     ? "Content-Type: text/csv"
        : config_.encoding == Encoding::kMsgpack ? "Content-Type: application/msgpack"
                                                 : "Content-Type: text/plain");
  }
  const std::string_view coding = content_encoding(config_.compression);
  if (!coding.empty() && !has_header("Content-Encoding")) add("Content-Encoding: " + std::string(coding));
  if (!config_.auth_token.empty() && !has_header("Authorization"))
    add("Authorization: Bearer " + config_.auth_token);
  if (!host_header_.empty() && !has_header("Host")) add(host_header_);
  // libcurl would wait up to a second for "100 Continue" before it sends a large body.
  if (!has_header("Expect")) add("Expect:");
  // "Name;" is how libcurl is told to send a header without a value.
  for (const auto& [name, value] : config_.headers) add(value.empty() ? name + ";" : name + ": " + value);
  if (!connect_to_.empty()) connect_to_list_.reset(::curl_slist_append(nullptr, connect_to_.c_str()));
  if (!complete) return Error{Errc::kNoMemory, 0, "headers"};
  return {};
}

Result<void> HttpTarget::apply(CURL* easy) const {
  CURLcode failed = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    if (failed == CURLE_OK) failed = ::curl_easy_setopt(easy, option, value);
  };
  set(CURLOPT_URL, url_.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_POST, 1L);
  set(CURLOPT_CUSTOMREQUEST, config_.method.c_str());
  set(CURLOPT_HTTPHEADER, headers_.get());
  if (connect_to_list_) set(CURLOPT_CONNECT_TO, connect_to_list_.get());
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_USERAGENT, "logflume/" LOGFLUME_VERSION);
  set(CURLOPT_TIMEOUT_MS, milliseconds(config_.request_timeout));
  set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(std::min(config_.request_timeout, kConnectTimeoutMax)));
  if (!config_.auth_user.empty() || !config_.auth_password.empty()) {
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(CURLOPT_USERNAME, config_.auth_user.c_str());
    set(CURLOPT_PASSWORD, config_.auth_password.c_str());
  }
  if (!config_.tls.ca_file.empty()) set(CURLOPT_CAINFO, config_.tls.ca_file.c_str());
  if (!config_.tls.cert_file.empty()) set(CURLOPT_SSLCERT, config_.tls.cert_file.c_str());
  if (!config_.tls.key_file.empty()) set(CURLOPT_SSLKEY, config_.tls.key_file.c_str());
  set(CURLOPT_SSL_VERIFYPEER, config_.tls.verify ? 1L : 0L);
  set(CURLOPT_SSL_VERIFYHOST, config_.tls.verify ? 2L : 0L);
  if (failed != CURLE_OK) {
    return Error{Errc::kUnsupported, 0, std::string("libcurl: ") + ::curl_easy_strerror(failed)};
  }
  return {};
}

}  // namespace logflume
