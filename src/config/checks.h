// What a text must be to be an address, a URI, a path. Each returns what is wrong, or nothing.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace logflume {

// "host:port", "127.0.0.1:8686", "[::1]:8686".
std::string check_host_port(const std::string& text);
// The same, or a port of 0 for "any free one".
std::string check_listen_address(const std::string& text);
// "host", "host:port", "PLAINTEXT://host:port"; several with commas between.
std::string check_kafka_servers(const std::string& text);
std::string check_not_empty(const std::string& text);
std::string check_no_nul(const std::string& text);

// The directory is there and can be written to, or can be made: its parent is there and can be written to.
// Nothing is created.
std::string check_data_dir(const std::string& path);
// A file can be created or appended to there, as far as can be told without trying.
std::string check_output_file(const std::string& path);
std::string check_readable_file(const std::string& path);

}  // namespace logflume
