// The patterns that %{NAME} stands for.
#pragma once

#include <span>
#include <string_view>

namespace logflume {

struct GrokDefinition {
  std::string_view name;
  std::string_view pattern;
};

// By the names, and with the fields, of Logstash's pattern set in its legacy (not ECS) form
// (logstash-patterns-core, grok-patterns, httpd, linux-syslog and java), so that expressions written for it
// work. How each is written is our own: PCRE2, without captures beside the fields.
std::span<const GrokDefinition> grok_definitions();

}  // namespace logflume
