# bash completion for spillway(1) and scholarship-api(1)
_spillway() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local options='--config --check-config --format --print-config --print-schema --print-metrics --version --help'
  local commands='migrate seed-demo user secret'
  if [[ ${COMP_WORDS[0]} == *spillway ]]; then
    options+=' --upstream --listen --max-concurrent --set' commands='healthcheck advise'
  fi
  case $previous in
    --config) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    --format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current") ;;
    healthcheck | advise) mapfile -t COMPREPLY < <(compgen -W '--admin --certificate --key' -- "$current") ;;
    user) mapfile -t COMPREPLY < <(compgen -W 'list add password disable enable delete' -- "$current") ;;
    secret) mapfile -t COMPREPLY < <(compgen -W new -- "$current") ;;
    seed-demo) mapfile -t COMPREPLY < <(compgen -W --scholarships -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$options $commands" -- "$current") ;;
  esac
}
complete -F _spillway spillway scholarship-api
