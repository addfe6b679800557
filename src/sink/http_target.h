// Where an HTTP sink's requests go, and what each of them carries besides its body.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sink/sink_config.h"

namespace logflume {

// Threads: one.
class HttpTarget {
 public:
  // Errors: kInvalidArgument (http_faults()), kNotFound and kPermission (certificate file).
  Result<void> open(const HttpSinkConfig& config);
  // Sets all of a transfer but its body and its callbacks. It refers to this target: keep it as long.
  Result<void> apply(CURL* easy) const;
  // For messages: without credentials and query.
  const std::string& shown_uri() const { return shown_uri_; }

 private:
  struct CurlListFree {
    void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
  };
  using CurlList = std::unique_ptr<curl_slist, CurlListFree>;

  Result<void> parse_uri();
  Result<void> check_files() const;
  bool has_header(std::string_view name) const;
  Result<void> build_headers();

  HttpSinkConfig config_;
  std::string url_;         // as libcurl gets it
  std::string connect_to_;  // where it connects instead of the URL's host; empty: there
  std::string host_header_;
  std::string shown_uri_;
  CurlList headers_;
  CurlList connect_to_list_;
};

// The first kAsciiLineBytesMax bytes as one line of printable ASCII: an answer may hold anything, and goes
// into a log.
inline constexpr std::size_t kAsciiLineBytesMax = 200;
std::string ascii_line(std::string_view text);

}  // namespace logflume
