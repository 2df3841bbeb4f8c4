"""Real sentences of many languages: where each ends, and where it does not.

In the examples "|" is where a sentence ends.
"""

import pytest

from auto_voice.text.sentences import segments

EXAMPLES = [
    # Plain sentences, and marks other than the full stop
    ("en", "Hello world.|How are you?|I am fine!"),
    ("en", "What?!|No way!!!|Really?!?"),
    ("en", "Is that so ‽|It is."),
    ("en", "It ended.|5 people came.|$3 was left.|“Fine,” she said."),
    ("en", "i like tea.|you like coffee, e.g. black.|we are friends"),
    ("en", "The temp. was 20 deg. below, approx. as low as 10 cm. of snow."),
    ("en", "stop!|don't go?|ok"),
    # Titles, abbreviations
    ("en", "Dr. Smith met Mr. and Mrs. Jones.|They talked."),
    ("en", "DR. SMITH IS HERE.|HE WAITS."),
    ("en", "Prof. Lt.-Col. St. John lives on Main St.|He is old."),
    ("en", "Use fruit, e.g. Apples, i.e. Malus, vs. Pears.|Fine."),
    ("en", "He has apples, pears, etc.|She has none."),
    ("en", "He has apples, etc. and pears."),
    ("en", "She left at 3.30 p.m.|He paid."),
    ("en", "It starts at 9 a.m. Monday, or 3 P.M. EST.|Be there."),
    ("en", "He lives in Washington D.C.|He likes it."),
    ("en", "The U.S. Army left the U.S.|The end."),
    ("en", "I study in the U.S.A. and the U.K. Parliament knows."),
    ("en", "Apple Inc. Magazine is by Apple Inc.|It sells."),
    ("en", "Mary met John Smith Jr.|They spoke."),
    ("en", "Smith et al. (2010) say so.|Jones et al.|This is new."),
    ("en", "See No. 5, p. 7, pp. 8 and Fig. B of vol. II, sec. 3.|Yes."),
    ("en", "Is it true?|No.|I do not think so.|No.|He does."),
    ("en", "On Jan. 5 and Sat. 7 he sat.|Then it was Dec.|He left."),
    ("en", "He holds a Ph.D. and she an M.Sc. in physics.|They met."),
    ("en", "Ph. D. students met the N. A. T. O. Secretary."),
    # Initials
    ("en", "J. R. R. Tolkien wrote it.|C.S. Lewis read it."),
    ("en", "John F. Kennedy and J.F.K. Airport."),
    ("en", "We need vitamin C.|It helps.|And plan B.|So do it."),
    ("en", "It was I.|He knew."),
    # Numbers, addresses, names of files
    ("en", "Pi is 3.14.|Version 1.2.3 is out.|It costs $1,000.50 now."),
    ("en", "It was 1990.|She was 12.|Then it rained."),
    ("en", "Visit www.example.com.|Or https://example.com/a.b?c=d!e#f. now"),
    ("en", "Write to a.b@example.co.uk.|Open setup.py or README.md.|Done."),
    ("en", "Node.js and .NET are fine.|So is C#."),
    ("en", "1. First we go.|2. Then we stay."),
    ("en", "Steps: 1. Open it.|2. Close it."),
    ("en", "A. Apples.|B. Pears."),
    ("en", "II. The second part.|It is long."),
    # Ellipses
    ("en", "Well... maybe.|And so on…|Then he left."),
    ("en", "Wait... 5 people came … and went."),
    ("en", "... and so it began.|Hm."),
    ("en", "Hello.|World ...!|And more."),
    # Quotes and brackets
    ("en", "“Why?” he asked.|“Because!” she said."),
    ("en", '"Stop."|He turned.|“Go on.”|(She did.)|[Really.]|He left.'),
    ("en", "He (!) knew (?) it.|Yes."),
    ("en", "He left (at five p.m.).|Then (see below.) nothing."),
    ("en", "**Bold.**|_Thin._|`Code.`|End."),
    ("en", "It is known.[1]|Or not.[2][13]|It goes on.[a]"),
    # German
    ("de", "Am 5. Mai um 8.30 Uhr kam Dr. Müller.|Er blieb."),
    ("de", "Das war z. B. Äpfeln und d. h. Obst, u. a. Birnen usw.|Danach kam er."),
    ("de", "Der 2. Weltkrieg endete 1945.|Danach kam der Frieden."),
    ("de", "Ludwig XIV. Nachfolger kam i. d. R. Montags.|Er blieb."),
    ("de", "Kaiser Karl V. war müde.|„Wirklich?“ fragte er.|„Ja.“|Gut."),
    ("de", "Es waren ca. 5 Mio. Euro bzw. Dollar.|Die Nr. 3 fehlt."),
    ("de", "Er wurde 5.|Das ist so."),
    ("de", "Im 3. Jh. v. Chr. Rom war groß, ggf. größer."),
    ("de", "Die Str. Nr. 5 (Abs. 3, Art. 2) heißt so.|»Gut.«|»Ja!«"),
    ("de-AT", "Am 1. Jänner schläft Frau Mag. Huber.|Sie ist müde."),
    # French
    ("fr", "M. Le Pen et Mme Dupont arrivent.|Ils parlent."),
    ("fr", "Ça va ?|Oui !|« Bonjour ! » dit-il.|« Non. »|Fin."),
    ("fr", "Il y a des fruits, p. ex. Pommes, c.-à-d. Malus, etc.|Il mange."),
    ("fr", "J.-P. Sartre est né en 1905.|En 50 av. J.-C. César était là."),
    ("fr", "Voir art. 5, p. 3 et n. 7.|L’av. Foch est longue."),
    # Spanish
    ("es", "El Sr. Pérez y la Sra. Gómez viven en EE. UU.|La vida es así."),
    ("es", "¿Qué tal?|¡Bien!|Dijo que sí.|¿no?"),
    ("es", "Ud. Sabe, p. ej. Madrid, pág. 5, a las 5 p. m.|Luego vino."),
    ("es", "El Dr. García nació en 1950.|Murió en 2001."),
    # Italian
    ("it", "Il sig. Rossi e la Dott.ssa Bianchi sono qui.|Parlano."),
    ("it", "Mele, pere, ecc.|Poi viene pag. 5, cfr. Dante.|Nel 44 a.C. Cesare morì."),
    # Portuguese
    ("pt", "O Sr. Silva e a Dra. Costa moram na Av. Paulista.|Eles falam."),
    ("pt-BR", "A Profa. Ana lê a pág. 5, etc.|Depois dorme."),
    # Dutch
    ("nl", "Dhr. Jansen en mevr. De Vries komen, d.w.z. Morgen.|Ze praten."),
    ("nl", "Dat is bijv. Amsterdam, o.a. Utrecht, enz.|Daarna nr. 5."),
    # Polish
    ("pl", "Dr. Kowalski mieszka przy ul. Długiej, np. Tu.|To jest dom."),
    ("pl", "Jabłka, gruszki itd.|Potem w 1990 r.|Polska wygrała."),
    # Russian
    ("ru", "Он родился в 1990 г. в Москве.|Это г. Москва, ул. Ленина."),
    ("ru", "Яблоки, груши и т. д.|Потом т. е. Завтра.|А. С. Пушкин писал."),
    ("ru", "– Привет! – сказал он.|– Да."),
    # Swedish, Danish, Norwegian
    ("sv", "Det är t.ex. Stockholm, bl.a. Malmö, m.m.|Sedan kom dr. Holm."),
    ("da", "Den 5. Juni kom hr. Jensen, f.eks. Her, osv.|Så gik han."),
    ("nb", "Den 17. Mai kom dr. Hansen, bl.a. Her.|Han dro."),
    # Czech
    ("cs", "Dne 5. Května přišel Ing. Novák, např. Sem, atd.|Pak odešel."),
    ("cs", "Karel IV. Lucemburský žil tam.|To je ul. Nová."),
    # Greek, Armenian, Ethiopic
    ("el", "Τι κάνεις;|Καλά.|Εσύ;"),
    ("en", "He came; She went."),
    ("hy", "Բարև։|Ինչպես ես:|Լավ։"),
    ("am", "ሰላም።|እንዴት ነህ፧|ደህና፡፡|እሺ።"),
    ("am", "ሰላም፡ለዓለም።|እሺ።"),
    # Arabic, Persian, Urdu, Hebrew
    ("ar", "كيف حالك؟|أنا بخير.|قال د. أحمد نعم."),
    ("ur", "یہ کتاب ہے۔|کیا؟|ہاں۔"),
    ("he", "שלום.|מה שלומך?|טוב!"),
    # Indic
    ("hi", "यह घर है।|वह कौन है?|डॉ. शर्मा आए॥|ठीक।"),
    ("bn", "আমি যাই।|তুমি কে?|ভালো।"),
    # South-east Asia
    ("my", "မင်္ဂလာပါ။|နေကောင်းလား။"),
    ("km", "សួស្តី។|សុខសប្បាយ៕"),
    # Chinese, Japanese, Korean
    ("zh", "你好。|他说：“好。”|然后走了！|真的吗？！|我……不知道。"),
    ("zh", '他说:"你好。"|"再见。"|好。'),
    ("zh", "你好!|我很好.|谢谢?|再见"),
    ("zh", "价格是３．５元。|苹果iPhone很贵。"),
    ("cmn", "「你好。」|『再见！』|（走了。）|好"),
    ("ja", "今日は。|「行く。」と言った。|本当？|はい！"),
    ("ja", "これは｡|それは｡"),
    ("ko", "안녕하세요.|잘 지내요?|네!"),
    # Georgian has no capitals
    ("ka", "გამარჯობა.|როგორ ხარ?|კარგად."),
    # Languages without tables of their own
    ("fi", "Tule 3. Toukokuuta.|Vuonna 1990.|Nyt."),
    ("hu", "Jó napot.|Hogy van?|Jól."),
    ("tr", "Merhaba.|Nasılsın?|İyiyim."),
    ("", "Hello.|World."),
    ("x-unknown-language", "Hello.|Dr. World."),
]

NO_SPACES = ("am", "cmn", "ja", "km", "my", "zh")
"""Written without white space between sentences, as often as not."""


@pytest.mark.parametrize("language, example", EXAMPLES)
def test_sentences_end_where_readers_of_the_language_end_them(language, example):
    """Each expected sentence is a segment, and nothing else is."""
    expected = example.split("|")
    text = ("" if language in NO_SPACES else " ").join(expected)
    assert [segment.text for segment in segments(text, language)] == expected
