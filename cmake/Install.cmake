# The binary, and what it can tell about itself: its man page and its shells' completions.
install(TARGETS logflume RUNTIME DESTINATION bin)

# logflume_install_output(PATH ARGUMENTS...): what `logflume ARGUMENTS` prints, written below the prefix.
function(logflume_install_output path)
  string(JOIN " " arguments ${ARGN})
  install(CODE "
    set(target \"\${CMAKE_INSTALL_PREFIX}/${path}\")
    get_filename_component(directory \"\$ENV{DESTDIR}\${target}\" DIRECTORY)
    file(MAKE_DIRECTORY \"\${directory}\")
    message(STATUS \"Installing: \$ENV{DESTDIR}\${target}\")
    execute_process(COMMAND \"$<TARGET_FILE:logflume>\" ${arguments}
                    OUTPUT_FILE \"\$ENV{DESTDIR}\${target}\" COMMAND_ERROR_IS_FATAL ANY)
    file(CHMOD \"\$ENV{DESTDIR}\${target}\" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
    list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${target}\")")
endfunction()

logflume_install_output(share/man/man1/logflume.1 man)
logflume_install_output(share/bash-completion/completions/logflume completions bash)
logflume_install_output(share/zsh/site-functions/_logflume completions zsh)
logflume_install_output(share/fish/vendor_completions.d/logflume.fish completions fish)
