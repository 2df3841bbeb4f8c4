"""Words that often begin a sentence and are no names, by language.

They tell where a sentence ends with an abbreviation: "in the U.S. The" against
"the U.S. Army". A word that is missing costs a pause at most.
"""

from typing import FrozenSet

from auto_voice.text.abbreviations import ALIASES

_WORDS = {
    "en": """
        a an the this that these those he she it we you they i his her its our your their my there
        here who what when where why how which if in on at by for from with to of and but or so yet
        nor as after before because although though while since until once then now thus hence
        however therefore meanwhile moreover also still even only some many most all each every both
        several few no not none one two three is are was were do does did can could would should
        has have had perhaps maybe yes please let during despite unlike like according under over
        between both another such today yesterday tomorrow later soon never always
    """,
    "de": """
        der die das den dem des ein eine einen einem einer er sie es wir ihr ich du man dies diese
        dieser dieses diesen dort hier da dann danach damals darauf doch aber und oder denn wenn als
        nach vor seit mit in im am an auf aus bei beim für von vom zu zum zur so auch nur noch schon
        jetzt heute gestern morgen was wer wie wo warum wann weil obwohl nachdem während trotz
        trotzdem deshalb daher außerdem alle viele einige jeder jede jedes kein keine nicht ja nein
        sein seine seinen ihre ihren mein meine unser unsere bis durch ohne um über unter zwischen
    """,
    "fr": """
        le la les l un une des d il elle ils elles on nous vous je j tu ce cet cette ces c cela ça
        mais et ou donc or ni car si quand lorsque comme dans en à au aux avec pour par sur sous
        après avant depuis pendant puis ensuite alors ainsi aussi enfin où qui que qu quoi pourquoi
        comment son sa ses leur leurs mon ma mes notre votre tout toute tous toutes chaque plusieurs
        certains non oui malgré selon aujourd hier demain
    """,
    "es": """
        el la los las un una unos unas él ella ellos ellas yo tú nosotros usted ustedes este esta
        estos estas esto ese esa eso aquel pero y o ni si cuando como donde porque aunque mientras
        después antes luego entonces así también además sin con en al a por para desde hasta sobre
        según tras no sí qué quién cómo dónde cuándo su sus mi mis nuestro todo todos cada muchos
        algunos hoy ayer mañana ahora ya hay era fue se
    """,
    "it": """
        il lo la i gli le l un uno una egli lui lei noi voi loro io tu questo questa questi queste
        quello quella ma e ed o se quando come dove perché poiché mentre dopo prima poi allora così
        anche inoltre senza con in nel nella a al alla per da dal dalla su sul tra fra secondo no
        sì non chi che cosa suo sua mio mia nostro tutto tutti ogni molti alcuni oggi ieri domani
        ora già è era c si
    """,
    "pt": """
        o a os as um uma ele ela eles elas eu tu nós você vocês este esta isto esse essa isso aquele
        mas e ou nem se quando como onde porque embora enquanto depois antes logo então assim também
        além sem com em no na nos nas ao à por para desde até sobre segundo não sim que quem seu sua
        meu minha nosso todo todos cada muitos alguns hoje ontem amanhã agora já há era foi
    """,
    "nl": """
        de het een hij zij ze we wij ik jij je u dit dat deze die er daar hier maar en of want als
        toen dan daarna nu ook nog na voor met in op bij om door naar uit over tijdens sinds omdat
        hoewel wanneer wat wie waar waarom hoe zijn haar hun onze mijn alle veel sommige elke geen
        niet ja nee vandaag gisteren morgen volgens zonder
    """,
    "pl": """
        to ten ta te on ona ono oni one my wy ja ty w we z ze na do od po przed za przy dla bez i a
        ale lecz jednak więc kiedy gdy jeśli jeżeli jak gdzie co kto dlaczego czy nie tak tam tu
        tutaj teraz potem wtedy już jeszcze także również tylko jego jej ich mój nasz każdy wszystko
        wszyscy wielu dziś dzisiaj wczoraj jutro podczas według
    """,
    "ru": """
        он она оно они я ты мы вы это этот эта эти тот та те в во на с со к ко по за из от до для
        без при у о об и а но или же если когда как где куда что кто почему зачем хотя потом затем
        тогда теперь сейчас там тут здесь также тоже только уже ещё еще не нет да его её ее их мой
        наш ваш свой все всё каждый многие некоторые после перед через сегодня вчера завтра однако
        поэтому
    """,
    "sv": """
        den det de han hon vi ni jag du en ett detta denna dessa men och eller för om när då där här
        vad vem var varför hur som efter innan under i på med av till från vid hos sedan nu också
        inte ja nej alla många några varje hans hennes deras min vår idag igår imorgon
    """,
    "da": """
        den det de han hun vi i jeg du en et dette denne disse men og eller for om når da der her
        hvad hvem hvor hvorfor hvordan hvis efter før under på med af til fra ved siden nu også ikke
        ja nej alle mange nogle hver hans hendes deres min vores dog derfor senere
    """,
    "no": """
        den det de han hun vi dere jeg du en et dette denne disse men og eller for om når da der her
        hva hvem hvor hvorfor hvordan hvis etter før under i på med av til fra ved siden nå også
        ikke ja nei alle mange noen hver hans hennes deres min vår derfor senere
    """,
    "cs": """
        ten ta to ti ty on ona ono oni já my vy v ve na s se z ze k ke do od po před za při pro bez
        u o i a ale nebo však když pokud jak kde kam co kdo proč zda jestli že ne ano tam tady zde
        teď potom pak tehdy už ještě také jen jeho její jejich můj náš každý všichni mnoho někteří
        dnes včera zítra během
    """,
}

PARTICLES = frozenset("""
    de del della di da do dos das du des la le les lo el al van von der den ten ter
    """.split())
"""Words of these that also stand between a name's initials and the rest: J. Le Goff."""

AFTER_TIMES = frozenset("""
    est edt pst pdt cst cdt mst mdt gmt utc bst cet cest eastern pacific central mountain
    monday tuesday wednesday thursday friday saturday sunday
    """.split())
"""Words with a capital that continue a sentence after a time of day: 3 p.m. EST."""


def first_words(language: str) -> FrozenSet[str]:
    """Frequent first words of a language (a primary subtag), in lower case."""
    return frozenset(_WORDS.get(ALIASES.get(language, language), "").split())
