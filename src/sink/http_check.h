// What an HTTP sink can be told: the one rule for the configuration's loader and the sink.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sink/setting_fault.h"
#include "sink/sink_config.h"

namespace logflume {

// What is wrong with one text; nothing when it is fine.
// http:// or https://, a host, a legal port, no blanks.
std::string check_http_uri(const std::string& text);
// Upper-case letters, '-' and '_'; none whose requests have no body.
std::string check_http_method(const std::string& text);
std::string check_http_header_name(std::string_view name);
// Of a header or a token: no line break, which would begin another header.
std::string check_http_header_value(std::string_view value);

// All of the above, and what does not go together. Files are not looked at.
std::vector<SettingFault> http_faults(const HttpSinkConfig& config);

}  // namespace logflume
