"""Words that end in a full stop without ending a sentence, by language.

Lower case, without the last full stop. Languages share what is common, since
texts mix them: a German text has its "Dr." and an English one its "Müller".
"""

from typing import Dict, FrozenSet

_COMMON = """
    dr prof mr mrs ms st jr sr vs cf ca etc inc ltd co corp nr vol pp p al ed eds
    tel e.g i.e a.m p.m u.s u.k u.s.a u.n d.c ph.d b.a m.a b.sc m.sc p.s n.b
"""
_OWN = {
    "en": """
        mt ft capt cpt col gen lt maj sgt adm hon rev gov sen rep pres supt messrs mmes
        jan feb apr jun jul aug sep sept oct nov dec tue tues thu thurs fri
        approx dept est est'd min max misc univ assn bros ave blvd rd hwy apt ch chap sec para
        viz ibid op cit oz lbs ft
    """,
    "de": """
        bzw z.b d.h u.a u.ä o.ä usw usf z.t i.d.r v.a s.o s.u ggf evtl vgl bspw sog inkl exkl zzgl
        abs art bd hr fr frl str nr st mio mrd tsd jh jhd n.chr v.chr geb gest verh dipl ing
        jan feb mär apr jun jul aug sept okt nov dez mo di mi do sa so
        z b d h u a o i r v s n
    """,
    "fr": """
        m mm mme mmes mlle mlles me mgr vve av bd boul pl art chap éd env ex max min réf
        janv févr avr juil sept oct nov déc p.ex c.-à-d apr j.-c
    """,
    "es": """
        sr sra srta sres dña d ud uds vd vds lic ing arq gral cnel tte avda av c ctra pág págs art
        núm aprox ee.uu p.ej ej tfno depto dpto ene abr ago dic
    """,
    "it": """
        sig sigg sig.ra sig.na dott dott.ssa avv ing arch geom rag on sen spett egr gent ecc es
        pag pagg cap art fig prov tel v.le p.zza gen genn febbr apr magg giu lug ago sett ott nov
        dic
    """,
    "pt": """
        sr sra srs sras srta dra profa eng arq av r pç art pág págs séc núm tel ex aprox
        jan fev abr mai ago set out dez
    """,
    "nl": """
        dhr mevr mw drs ir ing mr bijv bv d.w.z o.a m.b.t t.a.v i.p.v enz blz nl evt resp incl excl
        ca jl ll mrt mei okt
    """,
    "pl": """
        np m.in tj tzn itd itp ul al pl os prof inż mgr hab dr por św ks gen płk tzw ok godz min
        r w str tel wg zł mln mld tys
    """,
    "ru": """
        т.е т.д т.п т.к т.н и.о г гг в вв н.э до ул пр пл д кв корп стр рис табл см ср напр
        руб коп тыс млн млрд проф акад им
    """,
    "sv": "t.ex bl.a d.v.s osv m.m m.fl dvs resp ca kl nr st tel fr.o.m t.o.m s.k f.d",
    "da": "f.eks bl.a d.v.s osv m.m m.fl dvs ca kl nr st tlf hr fr dvs pga mht",
    "nb": "f.eks bl.a d.v.s osv m.m m.fl dvs ca kl nr st tlf hr fr pga mht",
    "cs": "např tj tzn atd apod mj resp str tel č čp ul nám p pí sl ing mgr mudr judr phdr doc r",
}
_ALIASES = {"no": "nb", "nn": "nb", "sk": "cs", "gl": "pt", "ca": "es", "uk": "ru", "be": "ru"}

_MAY_END = frozenset("""
    etc inc ltd co corp jr a.m p.m u.s u.k u.s.a u.n d.c ph.d b.a m.a b.sc m.sc al usw usf
    bzw ecc enz itd itp atd apod osv ee.uu r г гг n.chr v.chr j.-c zł руб коп m.m m.fl
    """.split())
"""Abbreviations after which a capital letter does begin a new sentence."""

BEFORE_NUMBERS = frozenset("no nos fig figs art abs bd núm núms sec ch in sat sun mar mon".split())
"""Ordinary words that are abbreviations where a number follows: No. 5, Fig. 3, Mar. 4."""

NUMBER_DOT_LANGUAGES = frozenset(
    "de da nb nn no fi cs sk pl hu hr sl sr bs et lv is fo tr lb eu".split()
)
"""Where a number and a full stop are an ordinal: 5. Mai."""


def _words(language: str) -> FrozenSet[str]:
    return frozenset(f"{_COMMON} {_OWN.get(language, '')}".split())


_TABLES: Dict[str, FrozenSet[str]] = {language: _words(language) for language in _OWN}
_DEFAULT = _words("")


def abbreviations(language: str) -> FrozenSet[str]:
    """All abbreviations that occur in texts of ``language`` (its first subtag)."""
    return _TABLES.get(_ALIASES.get(language, language), _DEFAULT)


def may_end_sentence(word: str) -> bool:
    """Whether a sentence may end with this abbreviation."""
    return word in _MAY_END
