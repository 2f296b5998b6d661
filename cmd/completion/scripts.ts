/**
 * What shells run to complete `kstream …`. Each hands the words up to the cursor to
 * `kstream __complete SHELL …` as they are (`answer.ts`) and evaluates nothing of what was typed: a
 * `$(…)` on the line must not run because somebody pressed Tab. No library does: @bomb.sh/tab, the
 * best kept, gives bash the line to `eval` and needs the bash-completion package.
 *
 * bash splits words at `:` and `=` too, so it gets candidates without what stands before the last
 * of these; it passes the line, which is split here.
 */

import { COMPLETE_WORD } from "./complete-word.ts";

const BASH = String.raw`# bash completion of kstream: eval "$(kstream completion bash)"
_kstream() {
  local line=${"${COMP_LINE:0:COMP_POINT}"} candidate
  COMPREPLY=()
  while IFS= read -r candidate; do
    case $candidate in
      $'\t'files) compopt -o default -o bashdefault 2>/dev/null ;;
      $'\t'nospace) compopt -o nospace 2>/dev/null ;;
      *) COMPREPLY+=("$candidate") ;;
    esac
  done < <("${"${COMP_WORDS[0]/#\~/$HOME}"}" ${COMPLETE_WORD} bash "$COMP_TYPE" "$COMP_WORDBREAKS" "$line" 2>/dev/null)
}
complete -F _kstream kstream
`;

const ZSH = String.raw`#compdef kstream
# zsh completion of kstream: eval "$(kstream completion zsh)", after compinit
_kstream() {
  local line files= space=1
  local -a candidates command
  command=("${"${words[1]}"}" ${COMPLETE_WORD} zsh "${"${(@Q)words[2,CURRENT]}"}")
  while IFS= read -r line; do
    case $line in
      $'\t'files) files=1 ;;
      $'\t'nospace) space= ;;
      *) candidates+=("$line") ;;
    esac
  done < <("${"${command[@]}"}" 2>/dev/null)
  if (( ${"${#candidates}"} )); then
    if [[ -n $space ]]; then _describe kstream candidates; else _describe kstream candidates -S ''; fi
  fi
  [[ -n $files ]] && _files
}
if [[ $funcstack[1] = _kstream ]]; then _kstream "$@"; else compdef _kstream kstream; fi
`;

const FISH = String
  .raw`# fish completion of kstream: put it into ~/.config/fish/completions/kstream.fish
function __kstream_complete
  set -l words (commandline -opc)
  set -l found ($words[1] ${COMPLETE_WORD} fish $words[2..-1] (commandline -ct) 2>/dev/null)
  for line in $found
    switch $line
      case \t'files'
        __fish_complete_path (commandline -ct)
      case \t'*'
      case '*'
        echo $line
    end
  end
end
complete -c kstream -e
complete -c kstream -f -a '(__kstream_complete)'
`;

/** The script for each shell. */
export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
