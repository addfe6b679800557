// What the process tells its parent.
#pragma once

namespace logflume {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;         // at run time; data left for the next start included
inline constexpr int kExitUsage = 2;           // wrong command line
inline constexpr int kExitConfiguration = 78;  // bad configuration, or one that cannot be read (EX_CONFIG)

}  // namespace logflume
