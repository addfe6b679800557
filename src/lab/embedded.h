// Files that the binary carries for the pages that it writes.
#pragma once

#include <string_view>

namespace logflume {

std::string_view embedded_chart_js();  // Chart.js, as the distribution packages it
std::string_view embedded_page_js();
std::string_view embedded_page_css();

}  // namespace logflume
