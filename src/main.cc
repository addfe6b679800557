#include "cli/cli.h"

int main(int argc, char** argv) { return logflume::cli_main(argc, argv); }
