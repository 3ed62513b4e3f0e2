# SPDX-License-Identifier: MIT
#
# What a build says: a line for each thing that it makes; with V=1 all commands.
#
#   $(Q)command                 not shown
#   $(call told,WHAT,FILE)      a line of its own before them
#   $(call told-once,WHAT,...)  the same for one of many: a line for the first that this make makes
Q := $(if $(filter 1,$(V)),,@)
SAY := printf '  %-7s %s\n'
told = $(if $(filter 1,$(V)),@:,@$(SAY) '$(1)' '$(2)')
# The shell's parent is this make.
told-once = $(if $(filter 1,$(V)),@:,@[ "$$(cat $(B)/.told-$(1) 2>/dev/null)" = $$PPID ] || \
    { echo $$PPID >$(B)/.told-$(1); $(SAY) '$(1)' '$(2)'; })
