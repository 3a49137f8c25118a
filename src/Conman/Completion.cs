// What a shell needs to complete conman's command lines: written from the same declarations as parsing and help.

using System.Text;
using Conman.CommandLine;

namespace Conman;

/// <summary>Commands that share a first word; the first group's have none.</summary>
internal sealed record CommandGroup(string Name, string About, IEnumerable<Command> Commands);

internal static class Completion
{
    /// <summary>The command <c>completion</c>.</summary>
    public static Command Of(Func<IReadOnlyList<CommandGroup>> groups, Option[] global) => new("completion", "bash|zsh|fish", "Print what a shell needs to complete command lines", [],
        arguments =>
        {
            Output.Write(arguments.Words[0] switch
            {
                "bash" => Bash(groups(), global),
                "zsh" => Zsh(groups(), global),
                "fish" => Fish(groups(), global),
                var shell => throw new UsageException($"completion: there is none for {shell}: it is bash, zsh or fish"),
            });
            return 0;
        });

    // What the words of a command name, by how its help calls them, and how to list these.
    private static readonly (string Word, string List)[] Things =
    [
        ("CONTAINER", "ps -a --format {{.Names}}"),
        ("IMAGE", "images --format {{.Repository}}:{{.Tag}}"),
        ("VOLUME", "volume ls -q"),
        ("POD", "pod ps --format {{.Name}}"),
        ("SECRET", "secret ls --format {{.Name}}"),
    ];

    public static string Bash(IReadOnlyList<CommandGroup> groups, Option[] global)
    {
        var text = new StringBuilder($$"""
            # bash completion for conman:  source <(conman completion bash)
            _conman() {
                local cur=${COMP_WORDS[COMP_CWORD]} at=1 command options="" things="" words="{{Join(FirstWords(groups))}}"
                while [[ $at -lt $COMP_CWORD && ${COMP_WORDS[at]} == -* ]]; do
                    case ${COMP_WORDS[at]} in {{string.Join('|', global.Where(o => o.Value is not null).Select(o => "--" + o.Name))}}) at=$((at + 2)) ;; *) at=$((at + 1)) ;; esac
                done
                if [[ $at -ge $COMP_CWORD ]]; then
                    COMPREPLY=($(compgen -W "$words {{Options(global)}}" -- "$cur"))
                    return
                fi
                command=${COMP_WORDS[at]}
                case $command in
            {{string.Concat(groups.Where(g => g.Name.Length > 0).Select(g => $"        {g.Name})\n            if [[ $((at + 1)) -ge $COMP_CWORD ]]; then\n                COMPREPLY=($(compgen -W \"{Join(g.Commands.Select(c => c.Name))}\" -- \"$cur\"))\n                return\n            fi\n            command=\"$command ${{COMP_WORDS[at + 1]}}\" ;;\n"))}}
                esac
                case $command in

            """);
        foreach (var (name, command) in Every(groups))
            text.Append($"        '{name}') options=\"{Options(command.Options)} --help\"{(ListOf(command) is { } list ? $" things='{list}'" : "")} ;;\n");
        text.Append("""
                esac
                if [[ $cur == -* ]]; then
                    COMPREPLY=($(compgen -W "$options" -- "$cur"))
                elif [[ -n $things ]]; then
                    COMPREPLY=($(compgen -W "$(${COMP_WORDS[0]} $things 2>/dev/null)" -- "$cur"))
                else
                    COMPREPLY=($(compgen -f -- "$cur"))
                fi
            }
            complete -o filenames -F _conman conman

            """);
        return text.ToString();
    }

    public static string Zsh(IReadOnlyList<CommandGroup> groups, Option[] global)
    {
        var text = new StringBuilder($$"""
            #compdef conman
            # zsh completion for conman:  conman completion zsh > "${fpath[1]}/_conman"
            _conman() {
                local at=2 command things
                local -a options commands
                while (( at < CURRENT )) && [[ ${words[at]} == -* ]]; do
                    case ${words[at]} in {{string.Join('|', global.Where(o => o.Value is not null).Select(o => "--" + o.Name))}}) (( at += 2 )) ;; *) (( at += 1 )) ;; esac
                done
                if (( at >= CURRENT )); then
                    commands=({{string.Join(' ', First(groups).Select(c => Zsh(c.Name, c.About)))}})
                    options=({{string.Join(' ', global.Select(o => Zsh("--" + o.Name, o.Help)))}})
                    _describe command commands -- options
                    return
                fi
                command=${words[at]}
                case $command in

            """);
        foreach (var group in groups.Where(g => g.Name.Length > 0))
        {
            text.Append($$"""
                    {{group.Name}})
                        if (( at + 1 >= CURRENT )); then
                            commands=({{string.Join(' ', group.Commands.Select(c => Zsh(c.Name, c.Help)))}})
                            _describe command commands
                            return
                        fi
                        command="$command ${words[at + 1]}" ;;

                """);
        }
        text.Append("    esac\n    case $command in\n");
        foreach (var (name, command) in Every(groups))
            text.Append($"        '{name}') options=({string.Join(' ', Shown(command.Options).Select(o => Zsh("--" + o.Name, o.Help)))}){(ListOf(command) is { } list ? $" things='{list}'" : "")} ;;\n");
        text.Append("""
                esac
                if [[ ${words[CURRENT]} == -* ]]; then
                    _describe option options
                elif [[ -n $things ]]; then
                    commands=(${(f)"$(${words[1]} ${=things} 2>/dev/null)"})
                    compadd -a commands
                else
                    _files
                fi
            }
            _conman "$@"

            """);
        return text.ToString();
    }

    public static string Fish(IReadOnlyList<CommandGroup> groups, Option[] global)
    {
        var text = new StringBuilder("# fish completion for conman:  conman completion fish | source\ncomplete -c conman -e\n");
        foreach (var option in global)
            text.Append(FishOption("__fish_use_subcommand", option));
        foreach (var (name, about) in First(groups))
            text.Append($"complete -c conman -f -n __fish_use_subcommand -a {name} -d {Fish(about)}\n");
        foreach (var group in groups)
        {
            var all = Join(group.Commands.Select(c => c.Name));
            foreach (var command in group.Commands)
            {
                var when = group.Name.Length == 0 ? $"__fish_seen_subcommand_from {command.Name}; and not __fish_seen_subcommand_from {Join(groups.Where(g => g.Name.Length > 0).Select(g => g.Name))}"
                    : $"__fish_seen_subcommand_from {group.Name}; and __fish_seen_subcommand_from {command.Name}";
                if (group.Name.Length > 0)
                    text.Append($"complete -c conman -f -n {Fish($"__fish_seen_subcommand_from {group.Name}; and not __fish_seen_subcommand_from {all}")} -a {command.Name} -d {Fish(command.Help)}\n");
                foreach (var option in Shown(command.Options))
                    text.Append(FishOption(Fish(when), option));
                if (ListOf(command) is { } list)
                    text.Append($"complete -c conman -f -n {Fish(when)} -a {Fish($"(conman {list} 2>/dev/null)")}\n");
            }
        }
        return text.ToString();
    }

    private static string FishOption(string when, Option option) =>
        $"complete -c conman -n {when} -l {option.Name}{(option.Short == '\0' ? "" : $" -s {option.Short}")}{(option.Value is null ? " -f" : " -r")} -d {Fish(option.Help)}\n";

    private static IEnumerable<(string Name, Command Command)> Every(IReadOnlyList<CommandGroup> groups)
    {
        foreach (var group in groups)
        {
            foreach (var command in group.Commands)
                yield return (group.Name.Length == 0 ? command.Name : group.Name + " " + command.Name, command);
        }
    }

    private static IEnumerable<(string Name, string About)> First(IReadOnlyList<CommandGroup> groups) =>
        groups[0].Commands.Select(c => (c.Name, c.Help)).Concat(groups.Where(g => g.Name.Length > 0).Select(g => (g.Name, g.About)));

    private static IEnumerable<string> FirstWords(IReadOnlyList<CommandGroup> groups) => First(groups).Select(c => c.Name);

    private static string? ListOf(Command command)
    {
        foreach (var (word, list) in Things)
        {
            if (command.Words.StartsWith(word, StringComparison.Ordinal) || command.Words.StartsWith("[" + word, StringComparison.Ordinal))
                return list;
        }
        return null;
    }

    private static IEnumerable<Option> Shown(Option[] options) => options.Where(o => o.Refused is null && !o.Alias);

    private static string Options(Option[] options) => Join(Shown(options).Select(o => "--" + o.Name));

    private static string Join(IEnumerable<string> words) => string.Join(' ', words.Distinct(StringComparer.Ordinal));

    // 'name:what it is', where a colon in the second part needs no escape.
    private static string Zsh(string name, string about) => "'" + name + ":" + about.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    private static string Fish(string text) => "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal) + "'";
}
