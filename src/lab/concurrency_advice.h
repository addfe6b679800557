#pragma once

#include <string>
#include <vector>

#include "lab/report.h"

namespace logflume {

// The ways to wait, as the rows of `lab concurrency` name them.
inline constexpr const char* kThreadsWay = "threads";
inline constexpr const char* kCoroutinesWay = "C++20 coroutines";
inline constexpr const char* kAsioWay = "Boost.Asio coroutines";
inline constexpr const char* kEventLoopWay = "event loop";

// What follows from the figures of `lab concurrency`.
std::vector<std::string> concurrency_advice(const LabReport& report);

}  // namespace logflume
