#include "lab/embedded.h"

#include <cstddef>

// The paths come from CMake. Each file lies between two symbols.
#define LOGFLUME_EMBED(NAME, PATH)                                                      \
  asm(".pushsection .rodata\n"                                                          \
      ".hidden logflume_" #NAME "\n.global logflume_" #NAME "\nlogflume_" #NAME         \
      ":\n"                                                                             \
      ".incbin \"" PATH                                                                 \
      "\"\n"                                                                            \
      ".hidden logflume_" #NAME "_end\n.global logflume_" #NAME "_end\nlogflume_" #NAME \
      "_end:\n.popsection\n");                                                          \
  extern "C" {                                                                          \
  extern const char logflume_##NAME[];                                                  \
  extern const char logflume_##NAME##_end[];                                            \
  }

LOGFLUME_EMBED(chart_js, LOGFLUME_CHART_JS)
LOGFLUME_EMBED(page_js, LOGFLUME_PAGE_JS)
LOGFLUME_EMBED(page_css, LOGFLUME_PAGE_CSS)

namespace logflume {
namespace {

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

std::string_view embedded_chart_js() { return between(logflume_chart_js, logflume_chart_js_end); }
std::string_view embedded_page_js() { return between(logflume_page_js, logflume_page_js_end); }
std::string_view embedded_page_css() { return between(logflume_page_css, logflume_page_css_end); }

}  // namespace logflume
