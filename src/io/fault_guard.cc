#include "io/fault_guard.h"

#include <signal.h>
#include <ucontext.h>

#include <atomic>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <mutex>

namespace logflume {
namespace {

// The copy that the thread is in; read by the signal handler.
struct Guard {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  sigjmp_buf on_fault;
};

constinit thread_local Guard* t_guard = nullptr;
std::once_flag g_installed;
struct sigaction g_previous;

void on_bus_error(int signal, siginfo_t* info, void* context) {
  Guard* guard = t_guard;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  // si_code is negative or 0 for a signal that somebody sent: its si_addr means nothing.
  if (guard != nullptr && info->si_code > 0 && address >= guard->begin && address < guard->end) {
    // sigsetjmp() has not saved the mask (that costs a system call for each copy): back to that of the copy.
    pthread_sigmask(SIG_SETMASK, &static_cast<const ucontext_t*>(context)->uc_sigmask, nullptr);
    siglongjmp(guard->on_fault, 1);
  }
  if ((g_previous.sa_flags & SA_SIGINFO) != 0) {
    g_previous.sa_sigaction(signal, info, context);
  } else if (g_previous.sa_handler == SIG_DFL || g_previous.sa_handler == SIG_IGN) {
    // A fault cannot be ignored: back to the default, then the instruction faults again and dumps core.
    struct sigaction fallback = {};
    fallback.sa_handler = SIG_DFL;
    sigaction(SIGBUS, &fallback, nullptr);
    if (info->si_code <= 0) raise(signal);  // sent, not a fault: taken when this handler returns
  } else {
    g_previous.sa_handler(signal);
  }
}

void install() {
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &g_previous);
}

}  // namespace

bool copy_from_map(char* to, const char* from, std::size_t size) {
  std::call_once(g_installed, install);
  Guard guard;
  guard.begin = reinterpret_cast<std::uintptr_t>(from);
  guard.end = guard.begin + size;
  if (sigsetjmp(guard.on_fault, 0) != 0) {
    t_guard = nullptr;
    return false;
  }
  t_guard = &guard;
  // The handler runs on this thread: order against the compiler is all that is needed.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  std::memcpy(to, from, size);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_guard = nullptr;
  return true;
}

}  // namespace logflume
